// Small enhancements; every page works without them.
"use strict";

// <button data-copy="text">: copy to the clipboard and say so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
});

// <form data-confirm="question">: ask first.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// <div id="x" data-refresh="seconds">: replace itself by its own newer version while the page is looked at, unless
// somebody is at work inside. What was folded open stays open.
for (const part of document.querySelectorAll("[data-refresh][id]")) {
  const seconds = Number(part.dataset.refresh);
  setInterval(async () => {
    const busy = part.querySelector("input:focus, select:focus, textarea:focus, button:focus");
    if (document.hidden || busy || !getSelection().isCollapsed) return;
    const answer = await fetch(location.href, { headers: { "Rolecall-Refresh": part.id } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (!fresh) return;
    for (const open of part.querySelectorAll("details[id][open]")) {
      fresh.querySelector(`details[id="${CSS.escape(open.id)}"]`)?.setAttribute("open", "");
    }
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  }, seconds * 1000);
}
