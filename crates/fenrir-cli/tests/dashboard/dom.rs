//! A page as a browser's parser reads it.

use html5ever::tendril::TendrilSink as _;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// A parsed page.
pub struct Page {
    pub root: Element,
    /// What the parser had to forgive.
    pub errors: Vec<String>,
    pub source: String,
    /// A node that is dropped takes everything under it along, whoever else holds it.
    _document: Handle,
}

/// An element.
#[derive(Clone)]
pub struct Element(Handle);

impl Page {
    pub fn parse(source: &str) -> Self {
        let options = ParseOpts {
            tree_builder: TreeBuilderOpts {
                exact_errors: true,
                ..TreeBuilderOpts::default()
            },
            ..ParseOpts::default()
        };
        let dom = parse_document(RcDom::default(), options).one(source);
        let root = dom
            .document
            .children
            .borrow()
            .iter()
            .find(|node| is_element(node))
            .unwrap()
            .clone();
        let errors = dom.errors.borrow().iter().map(ToString::to_string).collect();
        Self {
            root: Element(root),
            errors,
            source: source.to_owned(),
            _document: dom.document,
        }
    }

    /// The elements of this name, in the order of the page.
    pub fn elements(&self, name: &str) -> Vec<Element> {
        self.root.elements(name)
    }

    pub fn all(&self) -> Vec<Element> {
        self.root.all()
    }

    /// What a reader gets to read.
    pub fn text(&self) -> String {
        let body = self.elements("body");
        body[0].text()
    }
}

impl Element {
    pub fn name(&self) -> String {
        match &self.0.data {
            NodeData::Element { name, .. } => name.local.to_string(),
            _ => String::new(),
        }
    }

    pub fn attributes(&self) -> Vec<(String, String)> {
        match &self.0.data {
            NodeData::Element { attrs, .. } => attrs
                .borrow()
                .iter()
                .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
                .collect(),
            _ => Vec::new(),
        }
    }

    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes()
            .into_iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value)
    }

    /// This element and those in it.
    pub fn all(&self) -> Vec<Self> {
        let mut found = vec![self.clone()];
        for child in self.children() {
            found.extend(child.all());
        }
        found
    }

    pub fn children(&self) -> Vec<Self> {
        let children = self.0.children.borrow();
        children
            .iter()
            .filter(|node| is_element(node))
            .cloned()
            .map(Self)
            .collect()
    }

    pub fn elements(&self, name: &str) -> Vec<Self> {
        self.all()
            .into_iter()
            .filter(|element| element.name() == name)
            .collect()
    }

    /// The text right in it, of a style sheet or a script too.
    pub fn raw(&self) -> String {
        let mut text = String::new();
        for child in self.0.children.borrow().iter() {
            if let NodeData::Text { contents } = &child.data {
                text.push_str(&contents.borrow());
            }
        }
        text
    }

    /// The text in it, without style sheets and scripts.
    pub fn text(&self) -> String {
        let mut text = String::new();
        gather(&self.0, &mut text);
        text
    }
}

fn is_element(node: &Handle) -> bool {
    matches!(node.data, NodeData::Element { .. })
}

fn gather(node: &Handle, text: &mut String) {
    match &node.data {
        NodeData::Text { contents } => text.push_str(&contents.borrow()),
        NodeData::Element { name, .. } if ["style", "script"].contains(&&*name.local) => {}
        _ => {
            for child in node.children.borrow().iter() {
                gather(child, text);
            }
        }
    }
}
