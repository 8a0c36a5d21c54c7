// What the pages can do beyond links and forms. Without it everything can still be read.
"use strict";
const $ = (selector) => document.querySelector(selector);
const results = $("#results");

// Copies a path or a command.
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}

// Our own pages only, so what comes back is already escaped.
const piece = async (address, signal) => {
  const answer = await fetch(address, { signal });
  if (!answer.ok && answer.status !== 400) throw new Error(answer.statusText);
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  return holder.content;
};

// Photos as the reader comes near them. A batch far from the screen gives its pictures back and keeps its height, so
// that a thousand photos take no more memory than a few screens.
const FAR = "2500px 0px";
const shelves = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting && target.childElementCount && target.isConnected) {
      target.style.height = `${target.offsetHeight}px`;
      target.kept = target.innerHTML;
      target.replaceChildren();
    } else if (isIntersecting && target.kept) {
      target.innerHTML = target.kept;
      target.kept = "";
      target.style.height = "";
    }
  }
}, { rootMargin: FAR });
const ends = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach((one) => more(one.target)),
  { rootMargin: FAR });
const more = async (end) => {
  ends.unobserve(end);
  const address = new URL(end.querySelector("a").href);
  address.pathname = "/hits";
  try {
    const next = await piece(address);
    end.replaceWith(next);
    watch();
  } catch { ends.observe(end); }
};
const watch = () => {
  for (const shelf of results.querySelectorAll("ul.grid")) shelves.observe(shelf);
  for (const end of results.querySelectorAll("p.more")) ends.observe(end);
};

// Search as one types: the last words win, and the address follows them.
const search = $("#search");
let under = null, timer = 0, counting = 0;
// Counting is slower than the first photos: it is asked for when nothing else has been for a while.
const count = () => {
  clearTimeout(counting);
  const told = $("#count[data-more]");
  if (told) counting = setTimeout(async () => {
    const answer = await fetch(told.dataset.more).catch(() => null);
    if (answer?.ok) told.textContent = await answer.text();
  }, 600);
};
const find = async () => {
  const isUsual = (name, value) => value === (search[name].options?.[0]?.value ?? "");
  const query = new URLSearchParams([...new FormData(search)].filter(([name, value]) => !isUsual(name, value)));
  under?.abort();
  under = new AbortController();
  try {
    const found = await piece(`/hits?${query}`, under.signal);
    results.replaceChildren(found);
    history.replaceState(null, "", `/?${query}`);
    $("#said").textContent = $("#count")?.textContent ?? "no photos";
    watch();
    count();
  } catch (fault) { if (fault.name !== "AbortError") search.submit(); }
};
if (results) {
  watch();
  count();
  $("#q").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 80); });
}

// Keys: / goes to the search box, arrows go through a grid or from photo to photo, Escape goes back.
const typing = (target) => target.matches?.("input, textarea, select");
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const link = $(`a[data-key="${CSS.escape(event.key)}"]`);
  if (event.key === "/") { $("#q") ? $("#q").focus() : (location.href = "/"); event.preventDefault(); }
  else if (link) link.click();
  else if (event.target.matches?.(".grid a")) step(event);
});
const step = (event) => {
  const links = [...document.querySelectorAll(".grid a")], at = links.indexOf(event.target);
  const box = event.target.getBoundingClientRect(), centre = box.left + box.width / 2;
  const near = (rows) => rows.sort((a, b) => off(a, box, centre) - off(b, box, centre))[0];
  const top = (one) => one.getBoundingClientRect().top;
  const next = {
    ArrowRight: () => links[at + 1],
    ArrowLeft: () => links[at - 1],
    ArrowDown: () => near(links.filter((one) => top(one) > box.top + 1)),
    ArrowUp: () => near(links.filter((one) => top(one) < box.top - 1)),
  }[event.key]?.();
  if (next) { event.preventDefault(); next.focus(); }
};
const off = (one, box, centre) => {
  const other = one.getBoundingClientRect();
  return Math.abs(other.top - box.top) * 10 + Math.abs(other.left + other.width / 2 - centre);
};

// Jobs and money as they change.
for (const live of document.querySelectorAll("[data-live]")) {
  new EventSource(live.dataset.live).addEventListener("message", (event) => { live.innerHTML = event.data; });
}
