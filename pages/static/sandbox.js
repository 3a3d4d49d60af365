// Keeps scroll and focus: sends the page's own forms in the background and puts the parts that changed in place.
// Without this file every form works the same by post, redirect, get.
"use strict";

let line = Promise.resolve();

function send(action, fields) {
  return fetch(action, { method: "POST", body: fields, credentials: "same-origin" }).then((answer) => {
    if (answer.status === 403) location.reload();
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    return answer.text();
  });
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement && document.activeElement.id;
  const open = new Set([...document.querySelectorAll("details[open][id]")].map((each) => each.id));
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!now || now.innerHTML === part.innerHTML) continue;
    if (part.hasAttribute("data-append")) append(part, now);
    else part.replaceChildren(...now.childNodes);
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused && document.activeElement.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

// A screen reader reads out what is added to a log; adding only what is new keeps it from reading all again.
function append(part, now) {
  const known = new Set([...part.children].map((each) => each.id));
  const added = [...now.children].filter((each) => !known.has(each.id));
  part.append(...added);
  if (added.length) part.parentElement.scrollTop = part.parentElement.scrollHeight;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.hasAttribute("data-live-form")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form));
  if (event.submitter && event.submitter.name) fields.set(event.submitter.name, event.submitter.value);
  if (form.hasAttribute("data-clear")) form.reset();
  form.setAttribute("aria-busy", "true");
  const work = () =>
    send(form.action, fields)
      .then(show)
      .catch(() => location.reload())
      .finally(() => form.removeAttribute("aria-busy"));
  // One after the other: two quick clicks must not overtake each other.
  line = line.then(work);
});

document.addEventListener("keydown", (event) => {
  const players = document.querySelector("details.players");
  if (event.key === "Escape" && players.open) {
    players.open = false;
    players.querySelector("summary").focus();
  }
});
