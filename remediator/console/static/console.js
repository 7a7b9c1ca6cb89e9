"use strict";
// Two things that a page can do without: the reader's own zone in the titles of times, and news without loading again.

const zoned = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
};

const isBusy = (main) => {
  const at = document.activeElement;
  return main.contains(at) && /^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(at.tagName);
};

const refresh = async () => {
  const main = document.querySelector("main[data-live]");
  // What a person is filling in is not taken away.
  if (!main || isBusy(main)) return;
  await htmx.ajax("GET", location.pathname + location.search, { target: "#main", select: "#main", swap: "outerMorph" });
  zoned(document);
};

zoned(document);
const live = document.querySelector("main[data-live]");
if (live) {
  const news = new EventSource(live.dataset.live);
  news.addEventListener("changed", refresh);
  addEventListener("pagehide", () => news.close());
}
