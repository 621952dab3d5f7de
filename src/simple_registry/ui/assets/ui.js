// What pages have beyond HTML: copy buttons, times in the reader's zone, lists that follow what is typed. Every page works
// without it.
"use strict";

const words = document.body.dataset;

function showCopyButtons(root) {
  if (!navigator.clipboard && !document.execCommand) return;
  for (const button of root.querySelectorAll("button.copy[hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await copyText(button.dataset.value);
      button.classList.add("done");
      button.setAttribute("aria-label", words.copied);
      setTimeout(() => {
        button.classList.remove("done");
        button.setAttribute("aria-label", words.copy);
      }, 1500);
    });
  }
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea"); // over plain HTTP there is no clipboard
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    const seconds = (when - Date.now()) / 1000;
    const [unit, length] = units.find(([, each]) => Math.abs(seconds) >= each) || ["second", 1];
    const old = Math.abs(seconds) > 30 * 86400;
    time.textContent = old ? day.format(when) : relative.format(Math.trunc(seconds / length), unit);
    time.title = exact.format(when);
  }
}

function followTyping(form) {
  let waiting, asking;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
      if (asking) asking.abort();
      asking = new AbortController();
      const answer = await fetch(url, { signal: asking.signal, headers: { accept: "text/html" } }).catch(() => null);
      if (!answer) return; // a later one was asked for, or the network is gone
      if (!answer.ok) return location.assign(url);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(form.dataset.live), shown = document.getElementById(form.dataset.live);
      if (!found || !shown) return location.assign(url);
      shown.replaceWith(found);
      history.replaceState(null, "", url);
      improve(found);
    }, 150);
  });
}

function improve(root) {
  showCopyButtons(root);
  showTimes(root);
  root.querySelectorAll("form[data-live]").forEach(followTyping);
}

// A menu closes as menus do.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// On a phone, the page that is shown may be beyond the edge of its menu.
for (const entry of document.querySelectorAll(".tabs [aria-current]")) entry.scrollIntoView({ block: "nearest", inline: "center" });

improve(document);
