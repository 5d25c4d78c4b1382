"use strict";
(() => {
  const board = () => document.getElementById("board");
  const filter = document.getElementById("filter");
  const status = document.getElementById("shown");

  // The filter: rows and histories that do not have every word are hidden.
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const row of board().querySelectorAll("[data-words]")) {
      const text = row.dataset.words.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (row.matches("tr")) { all += 1; shown += row.hidden ? 0 : 1; }
    }
    status.textContent = words.length ? shown + " of " + all + " shown" : "";
  };
  if (filter) {
    filter.form ? 0 : filter.addEventListener("input", apply);
    filter.closest(".filter").hidden = false;
  }

  // Whoever follows a link to a history wants to see it.
  const unfold = () => {
    const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (wanted && wanted.matches("details")) { wanted.open = true; wanted.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();

  // A served page reads itself anew while somebody looks at it; sooner while something runs.
  if (!document.body.dataset.live) return;
  const pause = () => (Number(board().dataset.running) ? 5000 : 30000);
  const said = document.getElementById("live");
  let read = Date.now(), reading = false;
  const refresh = async () => {
    if (reading) return;
    reading = true;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", credentials: "omit" });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const old = board(), fresh = next.getElementById("board");
      const open = new Set([...old.querySelectorAll("details[open]")].map((details) => details.id));
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const place = focused && (focused.id || (focused.closest("[id]") || {}).id);
      for (const details of fresh.querySelectorAll("details")) details.open = open.has(details.id);
      // The filter is where somebody types: it stays the very element it is.
      const kept = old.querySelector(".filter"), replaced = fresh.querySelector(".filter");
      if (kept && replaced) replaced.replaceWith(kept);
      old.replaceWith(fresh);
      document.title = next.title;
      document.getElementById("made").replaceWith(next.getElementById("made"));
      if (filter) apply();
      if (place) {
        const again = document.getElementById(place);
        const target = again && (again.matches("details") ? again.querySelector("summary") : again);
        if (target) target.focus({ preventScroll: true });
      }
      said.textContent = "";
    } catch {
      said.textContent = "cannot be read anew: is the command still running?";
    }
    reading = false;
    read = Date.now();
  };
  setInterval(() => {
    if (document.visibilityState === "visible" && Date.now() - read >= pause()) refresh();
  }, 1000);
})();
