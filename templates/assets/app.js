// Comforts only: every page works without this. What needs it is hidden until it runs.
"use strict";

// Show and hide what is typed into password fields.
for (const button of document.querySelectorAll("[data-show]")) {
  const fields = button.dataset.show.split(" ").map((id) => document.getElementById(id));
  const set = (shown) => {
    for (const field of fields) field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  };
  button.hidden = false;
  button.addEventListener("click", () => set(button.getAttribute("aria-pressed") !== "true"));
  // Password managers save what was sent from a password field.
  fields[0].form.addEventListener("submit", () => set(false));
}

// Copy a token.
for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const status = document.getElementById(button.dataset.copy + "-status");
  button.hidden = false;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    let copied = false;
    try {
      await navigator.clipboard.writeText(field.value);
      copied = true;
    } catch { // no secure context, or not allowed: the old way
      field.focus();
      field.select();
      copied = document.execCommand("copy");
    }
    if (copied) status.textContent = button.dataset.done;
  });
}

// Times are in UTC. Show them in the reader's own time, and keep the other for whoever points at them.
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}

// A second press of a button within three seconds is a slip. Nothing is disabled, so that a page that the back button
// brings back works as before.
const pressed = new WeakMap();
addEventListener("submit", (event) => {
  if (event.timeStamp - (pressed.get(event.target) ?? -Infinity) < 3000) event.preventDefault();
  else pressed.set(event.target, event.timeStamp);
});

// The back button may bring back a page as it was, long after it was answered. What is true now is on the server.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Send the answer to the app. The form may have a field called "submit", so ask the prototype.
const answer = document.querySelector("form[data-send]");
if (answer) HTMLFormElement.prototype.requestSubmit.call(answer);
