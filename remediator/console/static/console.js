"use strict";
// Two things that a page can do without: times in the reader's own zone, and news without loading again.

const KEPT = "upkeeper-times";
const choice = document.querySelector("#times");
const byAddress = choice !== null && "exact" in choice.dataset;

const kept = () => {
  try { return localStorage.getItem(KEPT) === "exact"; } catch { return false; }
};
const keep = (exact) => {
  try { localStorage.setItem(KEPT, exact ? "exact" : "ago"); } catch { /* then only this page shows them so */ }
};
let exact = byAddress || kept();

// What the server said of each time: how long ago it was.
const said = new WeakMap();

const tellTimes = () => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const here = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    if (time.textContent !== here) said.set(time, time.textContent);
    time.title = here;
    const shown = exact || "clock" in time.dataset ? here : said.get(time);
    if (shown !== undefined && time.textContent !== shown) time.textContent = shown;
  }
  if (choice) choice.textContent = exact ? "Times ago" : "Exact times";
};

if (choice && !byAddress) {
  choice.addEventListener("click", (click) => {
    click.preventDefault();
    exact = !exact;
    keep(exact);
    tellTimes();
  });
} else if (choice) {
  choice.addEventListener("click", () => keep(false));
}

const isBusy = (main) => {
  const at = document.activeElement;
  const written = [...main.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);
  return written || (main.contains(at) && /^(INPUT|SELECT|BUTTON)$/.test(at.tagName));
};

// What a person is filling in is not taken away, also if he began while the news were on their way.
let late = false;

const refresh = async () => {
  const main = document.querySelector("main[data-live]");
  late = main !== null && isBusy(main);
  if (!main || late) return;
  await htmx.ajax("GET", location.pathname + location.search, { target: "#main", select: "#main", swap: "outerMorph" });
  tellTimes();
};

document.addEventListener("htmx:before:swap", (swap) => {
  late = isBusy(document.querySelector("main"));
  if (late) swap.preventDefault();
});
document.addEventListener("focusout", () => setTimeout(() => late && refresh()));

tellTimes();
const live = document.querySelector("main[data-live]");
if (live) {
  const news = new EventSource(live.dataset.live);
  news.addEventListener("changed", refresh);
  addEventListener("pagehide", () => news.close());
}
