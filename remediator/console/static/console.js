"use strict";
// Two things that a page can do without: the reader's own zone in the titles of times, and news without loading again.

const zoned = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
};

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
  zoned(document);
};

document.addEventListener("htmx:before:swap", (swap) => {
  late = isBusy(document.querySelector("main"));
  if (late) swap.preventDefault();
});
document.addEventListener("focusout", () => setTimeout(() => late && refresh()));

zoned(document);
const live = document.querySelector("main[data-live]");
if (live) {
  const news = new EventSource(live.dataset.live);
  news.addEventListener("changed", refresh);
  addEventListener("pagehide", () => news.close());
}
