//! The picture of the state machine: laid out from the definition that is deployed, so that it is always of it.
//!
//! What a person follows is drawn: tasks, waits, the choices between them and the three ends. The small states that only
//! turn an error into words stand for the way to the state they lead to. From left to right goes the main line, the way
//! of a deploy that succeeds; under it, each on a lane of its own, what a failure leads to; over it, what goes back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::board::Run;
use super::html::Html;

/// What is deployed (`template.yml`).
const DEFINITION: &str = include_str!("../../../../state_machine.asl.json");

/// Of a letter of a label, at the size that the style sheet gives it.
const LETTER: f32 = 6.9;
/// Between two labels.
const GAP: f32 = 30.0;
/// Of a state without a label.
const SMALL: f32 = 46.0;
/// From the left edge to the middle of the first state.
const LEFT: f32 = 36.0;
/// Room for the names of the ends.
const RIGHT: f32 = 96.0;
/// Between two lanes.
const LANE: f32 = 38.0;
/// Between the main line and the first lane.
const FIRST_LANE: f32 = 48.0;
/// Between the main line and what goes over it, and between two of those.
const OVER: [f32; 2] = [34.0, 15.0];
/// Radius of a corner.
const CORNER: f32 = 8.0;
/// Over the highest line.
const MARGIN: f32 = 10.0;
/// How far beside the middle of a state a way comes up from a lane.
const BESIDE: f32 = 6.0;

/// What kind of a state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A step.
    Task,
    /// A pause between two looks.
    Wait,
    /// A fork.
    Choice,
    /// Turns something into something else.
    Pass,
    /// The good end.
    Succeed,
    /// A bad end.
    Fail,
}

/// A state of the definition.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What its comment says.
    pub comment: String,
    /// Where it goes: first the ways it chooses, then where it goes when nothing is chosen, then after an error.
    ways: Vec<Way>,
}

#[derive(Debug, Clone)]
struct Way {
    to: String,
    kind: WayKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WayKind {
    Next,
    Default,
    Catch,
}

/// The machine, laid out.
#[derive(Debug)]
pub struct Machine {
    states: Vec<State>,
    /// Where each drawn state stands.
    places: BTreeMap<String, (f32, f32)>,
    /// From drawn state to drawn state, and whether only an error leads there.
    edges: Vec<Edge>,
    /// State to the drawn one that stands for it.
    stands_for: BTreeMap<String, String>,
    size: (f32, f32),
    /// How far it reaches over the main line.
    top: f32,
}

#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    is_error: bool,
    path: String,
}

static MACHINE: LazyLock<Machine> = LazyLock::new(|| Machine::of(DEFINITION).unwrap_or_else(Machine::empty));

impl Machine {
    /// The machine that is deployed.
    #[must_use]
    pub fn deployed() -> &'static Self {
        &MACHINE
    }

    /// The states that are drawn, in the order of the definition.
    pub fn drawn(&self) -> impl Iterator<Item = &State> {
        self.states.iter().filter(|state| self.places.contains_key(&state.name))
    }

    /// The drawn state that stands for a state; `None` for one that the machine does not have.
    #[must_use]
    pub fn stands_for(&self, state: &str) -> Option<&str> {
        self.stands_for.get(state).map(String::as_str)
    }

    fn empty() -> Self {
        Self {
            states: Vec::new(),
            places: BTreeMap::new(),
            edges: Vec::new(),
            stands_for: BTreeMap::new(),
            size: (1.0, 1.0),
            top: 0.0,
        }
    }

    /// Reads a definition and lays it out; `None` when it is none.
    fn of(definition: &str) -> Option<Self> {
        let definition: Value = serde_json::from_str(definition).ok()?;
        let start = definition.get("StartAt")?.as_str()?;
        let states: Vec<State> = definition
            .get("States")?
            .as_object()?
            .iter()
            .map(|(name, state)| read(name, state.as_object()?))
            .collect::<Option<_>>()?;
        let graph = Graph { states: &states };
        let main = graph.main(start)?;
        let is_drawn = |state: &State| match state.kind {
            Kind::Task | Kind::Wait | Kind::Succeed | Kind::Fail => true,
            Kind::Choice => main.contains(&state.name.as_str()),
            Kind::Pass => false,
        };
        let drawn: BTreeSet<&str> = states
            .iter()
            .filter(|state| is_drawn(state))
            .map(|state| state.name.as_str())
            .collect();
        let stands_for = graph.stands_for(&drawn);
        let mut machine = Self {
            places: BTreeMap::new(),
            edges: graph.edges(&drawn, &stands_for),
            stands_for,
            size: (0.0, 0.0),
            top: 0.0,
            states: Vec::new(),
        };
        let main: Vec<String> = main.into_iter().map(str::to_owned).collect();
        machine.states = states;
        machine.place(&main);
        machine.route(&main);
        Some(machine)
    }

    fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// Gives each drawn state its place.
    fn place(&mut self, main: &[String]) {
        let width = |name: &str| match self.state(name).map(|state| state.kind) {
            #[allow(clippy::cast_precision_loss, reason = "a name is short")]
            Some(Kind::Task) => name.len() as f32 * LETTER + GAP,
            _ => SMALL,
        };
        let mut places = BTreeMap::new();
        let mut x = LEFT;
        let mut before: Option<f32> = None;
        for name in main {
            let own = width(name);
            x += before.map_or(0.0, |before| f32::midpoint(before, own));
            before = Some(own);
            places.insert(name.clone(), (x, 0.0));
        }
        let right = x;
        let is_off =
            |state: &&State| self.stands_for.get(&state.name) == Some(&state.name) && !places.contains_key(&state.name);
        let off: Vec<&State> = self.states.iter().filter(is_off).collect();
        let (ends, detours): (Vec<&State>, Vec<&State>) = off.into_iter().partition(|state| state.kind == Kind::Fail);
        let mut y = FIRST_LANE;
        let mut lanes = Vec::new();
        for state in detours {
            // Just before the state that it leads to.
            let to = self
                .edges
                .iter()
                .find(|edge| edge.from == state.name)
                .and_then(|edge| places.get(&edge.to));
            let next = to.map_or(right, |(x, _)| *x);
            let before = places
                .values()
                .map(|(x, _)| *x)
                .filter(|x| *x < next)
                .fold(LEFT, f32::max);
            lanes.push((state.name.clone(), (before, y)));
            y += LANE;
        }
        for state in ends {
            lanes.push((state.name.clone(), (right, y)));
            y += LANE;
        }
        places.extend(lanes);
        self.places = places;
        self.size = (right + RIGHT, y - LANE + 24.0);
    }

    /// Gives each edge its path.
    fn route(&mut self, main: &[String]) {
        let at = |name: &str| main.iter().position(|state| state == name);
        let mut over: Vec<(usize, usize)> = Vec::new();
        for edge in &self.edges {
            if let (Some(from), Some(to)) = (at(&edge.from), at(&edge.to))
                && to != from + 1
            {
                over.push((from.min(to), from.max(to)));
            }
        }
        let levels = levels(&over);
        let mut top: f32 = OVER[0];
        let mut paths = Vec::new();
        for edge in &self.edges {
            let (Some(from), Some(to)) = (self.places.get(&edge.from), self.places.get(&edge.to)) else {
                paths.push(String::new());
                continue;
            };
            let path = match (at(&edge.from), at(&edge.to)) {
                (Some(a), Some(b)) if b == a + 1 => format!("M{} {}H{}", from.0, from.1, to.0),
                (Some(a), Some(b)) => {
                    let level = levels.get(&(a.min(b), a.max(b))).copied().unwrap_or_default();
                    let height = OVER[0] + OVER[1] * level;
                    top = top.max(height);
                    arch(*from, *to, height)
                }
                (Some(_), None) => drop_to(*from, *to),
                (None, _) => rise_to(*from, *to),
            };
            paths.push(path);
        }
        for (edge, path) in self.edges.iter_mut().zip(paths) {
            edge.path = path;
        }
        self.top = top + MARGIN;
    }

    /// Draws it, with what `run` did. `id` makes the ids of this picture different from those of another one.
    pub fn draw(&self, html: &mut Html, id: &str, title: &str, description: &str, run: &Run) {
        let (width, height) = self.size;
        let view = format!("0 {} {} {}", -self.top, width, height + self.top);
        let (title_id, description_id) = (format!("{id}-title"), format!("{id}-desc"));
        let label = format!("{title_id} {description_id}");
        let (width, height) = (width.to_string(), (height + self.top).to_string());
        let attributes = [
            ("class", "machine"),
            ("role", "img"),
            ("aria-labelledby", label.as_str()),
            ("viewBox", view.as_str()),
            ("width", width.as_str()),
            ("height", height.as_str()),
        ];
        let seen = self.seen(run);
        html.element("svg", &attributes, |html| {
            html.leaf("title", &[("id", &title_id)], title);
            html.leaf("desc", &[("id", &description_id)], description);
            let mut edges: Vec<(&Edge, bool)> = self.edges.iter().map(|edge| (edge, seen.went(edge))).collect();
            // What was gone lies on top of what was not.
            edges.sort_by_key(|(_, went)| *went);
            for (edge, went) in edges {
                let class = match (went, edge.is_error) {
                    (true, _) => "way went",
                    (false, true) => "way err",
                    (false, false) => "way",
                };
                html.empty("path", &[("class", class), ("d", &edge.path)]);
            }
            for state in self.drawn() {
                if let Some(place) = self.places.get(&state.name) {
                    mark(html, state, *place, seen.of(&state.name));
                }
            }
        });
    }

    /// What a run did, as far as it is drawn.
    fn seen(&self, run: &Run) -> Seen<'_> {
        let drawn = |state: &String| self.stands_for.get(state).map(String::as_str);
        Seen {
            entered: run.entered.iter().filter_map(|entered| drawn(&entered.state)).collect(),
            ways: run
                .ways
                .iter()
                .filter_map(|(from, to)| Some((drawn(from)?, drawn(to)?)))
                .collect(),
            now: run.now.as_ref().and_then(drawn),
        }
    }
}

/// What a run did.
struct Seen<'a> {
    entered: BTreeSet<&'a str>,
    ways: BTreeSet<(&'a str, &'a str)>,
    now: Option<&'a str>,
}

/// How a state stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Now,
    Past,
    Ahead,
}

impl Seen<'_> {
    fn went(&self, edge: &Edge) -> bool {
        self.ways.contains(&(edge.from.as_str(), edge.to.as_str()))
    }

    fn of(&self, state: &str) -> Stand {
        if self.now == Some(state) {
            Stand::Now
        } else if self.entered.contains(state) {
            Stand::Past
        } else {
            Stand::Ahead
        }
    }
}

/// A state: its shape says its kind, its filling and its colour how it stands, its label its name.
fn mark(html: &mut Html, state: &State, (x, y): (f32, f32), stand: Stand) {
    let class = match stand {
        Stand::Now => "state now",
        Stand::Past => "state past",
        Stand::Ahead => "state",
    };
    let (cx, cy) = (x.to_string(), y.to_string());
    let circle = |html: &mut Html, class: &'static str, radius: &str| {
        html.empty("circle", &[("class", class), ("cx", &cx), ("cy", &cy), ("r", radius)]);
    };
    html.element("g", &[("class", class)], |html| {
        if stand == Stand::Now {
            circle(html, "halo", "13");
        }
        match state.kind {
            Kind::Task => {
                circle(html, "body", "8");
                match stand {
                    Stand::Past => {
                        let check = format!("M{} {y}l2.6 2.7 5-5.6", x - 3.8);
                        html.empty("path", &[("class", "check"), ("d", &check)]);
                    }
                    Stand::Now => circle(html, "core", "3.5"),
                    Stand::Ahead => {}
                }
            }
            Kind::Choice | Kind::Pass => {
                let points = format!("{x},{} {},{y} {x},{} {},{y}", y - 6.5, x + 6.5, y + 6.5, x - 6.5);
                html.empty("polygon", &[("class", "body"), ("points", &points)]);
            }
            Kind::Wait => circle(html, "body", "5"),
            Kind::Succeed | Kind::Fail => {
                let (left, top) = ((x - 7.0).to_string(), (y - 7.0).to_string());
                let attributes = [
                    ("class", "body"),
                    ("x", left.as_str()),
                    ("y", top.as_str()),
                    ("width", "14"),
                    ("height", "14"),
                    ("rx", "4"),
                ];
                html.empty("rect", &attributes);
            }
        }
        let is_end = matches!(state.kind, Kind::Succeed | Kind::Fail);
        let (at_x, at_y, class) = match (state.kind, y > 0.0) {
            _ if is_end => (x + 13.0, y + 4.0, "end"),
            (Kind::Task, true) => (x, y + 24.0, "name"),
            (Kind::Task, false) => (x, y - 16.0, "name"),
            // A small state is named while it is the one.
            _ if stand == Stand::Now => (x, y + 28.0, "name"),
            _ => return html.leaf("title", &[], &state.name),
        };
        html.leaf(
            "text",
            &[("class", class), ("x", &at_x.to_string()), ("y", &at_y.to_string())],
            &state.name,
        );
    });
}

/// From a state of the main line over others to another one.
fn arch(from: (f32, f32), to: (f32, f32), height: f32) -> String {
    let corner = if to.0 > from.0 { CORNER } else { -CORNER };
    let (x1, x2) = (from.0, to.0);
    format!(
        "M{x1} {}V{}Q{x1} {} {} {}H{}Q{x2} {} {x2} {}V{}",
        from.1,
        CORNER - height,
        -height,
        x1 + corner,
        -height,
        x2 - corner,
        -height,
        CORNER - height,
        to.1
    )
}

/// From the main line down to a lane, and along it.
fn drop_to(from: (f32, f32), to: (f32, f32)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    if (x1 - x2).abs() < CORNER {
        return format!("M{x1} {y1}V{y2}");
    }
    let corner = if x2 > x1 { CORNER } else { -CORNER };
    format!("M{x1} {y1}V{}Q{x1} {y2} {} {y2}H{x2}", y2 - CORNER, x1 + corner)
}

/// Along a lane, and up to the main line; a little beside the middle, where other ways go down.
fn rise_to(from: (f32, f32), to: (f32, f32)) -> String {
    let ((x1, y1), (x2, y2)) = (from, (to.0 - BESIDE, to.1));
    format!("M{x1} {y1}H{}Q{x2} {y1} {x2} {}V{y2}", x2 - CORNER, y1 - CORNER)
}

/// On which level each of these goes over the main line: the shorter ones under the longer ones.
fn levels(over: &[(usize, usize)]) -> BTreeMap<(usize, usize), f32> {
    let mut sorted: Vec<(usize, usize)> = over.to_vec();
    sorted.sort_by_key(|(from, to)| (to - from, *from));
    sorted.dedup();
    let mut levels: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for (from, to) in sorted {
        let meets = levels.iter().filter(|((a, b), _)| *a <= to && from <= *b);
        let level = meets.map(|(_, level)| level + 1.0).fold(0.0, f32::max);
        levels.insert((from, to), level);
    }
    levels
}

/// The states as a graph.
struct Graph<'a> {
    states: &'a [State],
}

impl<'a> Graph<'a> {
    fn state(&self, name: &str) -> Option<&'a State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// The way of a deploy that succeeds: the longest one to the good end on which each state is entered once, nothing
    /// fails, and each choice finds what it looks for.
    fn main(&self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut longest: Option<Vec<&str>> = None;
        let mut begun = vec![vec![start]];
        while let Some(way) = begun.pop() {
            let state = self.state(way.last()?)?;
            if state.kind == Kind::Succeed && longest.as_ref().is_none_or(|longest| longest.len() < way.len()) {
                longest = Some(way.clone());
            }
            for next in state.ways.iter().filter(|next| next.kind == WayKind::Next) {
                if !way.contains(&next.to.as_str()) {
                    let mut further = way.clone();
                    further.push(&next.to);
                    begun.push(further);
                }
            }
        }
        longest
    }

    /// The drawn state that stands for each: itself, or the first one that it leads to.
    fn stands_for(&self, drawn: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for state in self.states {
            let mut queue: VecDeque<&str> = [state.name.as_str()].into();
            let mut known: BTreeSet<&str> = BTreeSet::new();
            while let Some(name) = queue.pop_front() {
                if drawn.contains(name) {
                    found.insert(state.name.clone(), name.to_owned());
                    break;
                }
                if known.insert(name) {
                    queue.extend(
                        self.state(name)
                            .into_iter()
                            .flat_map(|state| &state.ways)
                            .map(|way| way.to.as_str()),
                    );
                }
            }
        }
        found
    }

    fn edges(&self, drawn: &BTreeSet<&str>, stands_for: &BTreeMap<String, String>) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        for state in self.states.iter().filter(|state| drawn.contains(state.name.as_str())) {
            for way in &state.ways {
                let Some(to) = stands_for.get(&way.to).filter(|to| **to != state.name) else {
                    continue;
                };
                let is_error = way.kind == WayKind::Catch;
                match edges.iter_mut().find(|edge| edge.from == state.name && edge.to == *to) {
                    Some(edge) => edge.is_error &= is_error,
                    None => edges.push(Edge {
                        from: state.name.clone(),
                        to: to.clone(),
                        is_error,
                        path: String::new(),
                    }),
                }
            }
        }
        edges
    }
}

/// A state of the definition; `None` for a kind that nobody draws yet.
fn read(name: &str, state: &Map<String, Value>) -> Option<State> {
    let kind = match state.get("Type")?.as_str()? {
        "Task" => Kind::Task,
        "Wait" => Kind::Wait,
        "Choice" => Kind::Choice,
        "Pass" => Kind::Pass,
        "Succeed" => Kind::Succeed,
        "Fail" => Kind::Fail,
        _ => return None,
    };
    let mut ways = Vec::new();
    let mut add = |to: Option<&Value>, kind: WayKind| {
        if let Some(to) = to.and_then(Value::as_str) {
            ways.push(Way {
                to: to.to_owned(),
                kind,
            });
        }
    };
    let list = |name: &str| state.get(name).and_then(Value::as_array).into_iter().flatten();
    add(state.get("Next"), WayKind::Next);
    for choice in list("Choices") {
        add(choice.get("Next"), WayKind::Next);
    }
    add(state.get("Default"), WayKind::Default);
    for catch in list("Catch") {
        add(catch.get("Next"), WayKind::Catch);
    }
    let comment = state.get("Comment").and_then(Value::as_str).unwrap_or_default();
    Some(State {
        name: name.to_owned(),
        kind,
        comment: comment.to_owned(),
        ways,
    })
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss,
        reason = "a test may, and lengths of names are small"
    )]
    use super::*;

    fn raw() -> Map<String, Value> {
        let definition: Value = serde_json::from_str(DEFINITION).unwrap();
        definition["States"].as_object().unwrap().clone()
    }

    #[test]
    fn every_state_of_the_definition_is_in_the_picture() {
        let machine = Machine::deployed();
        let drawn: Vec<&str> = machine.drawn().map(|state| state.name.as_str()).collect();
        assert!(!drawn.is_empty());
        for (name, state) in raw() {
            let stands_for = machine.stands_for(&name).unwrap();
            assert!(drawn.contains(&stands_for), "{name}");
            let is_shown = ["Task", "Wait", "Succeed", "Fail"].contains(&state["Type"].as_str().unwrap());
            assert!(!is_shown || stands_for == name, "{name} is drawn as {stands_for}");
        }
        assert_eq!(machine.stands_for("Nothing of it"), None);
    }

    #[test]
    fn the_main_line_is_the_way_of_a_deploy_that_succeeds() {
        let machine = Machine::deployed();
        let mut line: Vec<(&str, f32)> = Vec::new();
        for state in machine.drawn() {
            let (x, y) = machine.places[&state.name];
            if y == 0.0 {
                line.push((&state.name, x));
            }
        }
        line.sort_by(|a, b| a.1.total_cmp(&b.1));
        let names: Vec<&str> = line.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "Validate",
                "Lock",
                "CreateChangeSet",
                "WaitForChangeSet",
                "WaitChangeSet",
                "ChangeSetReady?",
                "Execute",
                "WaitForExecute",
                "WaitExecute",
                "Executed?",
                "ReleaseLock",
                "Success?",
                "Success"
            ]
        );
    }

    #[test]
    fn every_way_between_drawn_states_is_drawn() {
        let machine = Machine::deployed();
        for state in &machine.states {
            for way in &state.ways {
                let (from, to) = (machine.stands_for(&state.name), machine.stands_for(&way.to));
                if from == Some(state.name.as_str()) && from != to {
                    let found = machine
                        .edges
                        .iter()
                        .find(|edge| Some(edge.from.as_str()) == from && Some(edge.to.as_str()) == to);
                    assert!(found.is_some_and(|edge| !edge.path.is_empty()), "{from:?} {to:?}");
                }
            }
        }
    }

    #[test]
    fn no_two_states_and_no_two_labels_lie_on_each_other() {
        let machine = Machine::deployed();
        let boxes: Vec<(&str, f32, f32, f32)> = machine
            .drawn()
            .map(|state| {
                let (x, y) = machine.places[&state.name];
                let half = if state.kind == Kind::Task {
                    state.name.len() as f32 * LETTER / 2.0
                } else {
                    8.0
                };
                (state.name.as_str(), x - half, x + half, y)
            })
            .collect();
        for (number, one) in boxes.iter().enumerate() {
            for other in boxes.iter().skip(number + 1) {
                let apart = one.2 < other.1 || other.2 < one.1 || (one.3 - other.3).abs() >= 30.0;
                assert!(apart, "{one:?} {other:?}");
            }
            assert!(
                one.1 >= 0.0 && one.2 <= machine.size.0 && one.3 <= machine.size.1,
                "{one:?}"
            );
        }
    }

    #[test]
    fn what_is_no_definition_is_no_picture() {
        assert!(Machine::of("").is_none());
        assert!(Machine::of(r#"{"StartAt": "A", "States": {"A": {"Type": "Map"}}}"#).is_none());
        assert!(Machine::of(r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}"#).is_none());
    }
}
