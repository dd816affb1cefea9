// Added to SimCord's page so that it behaves as people expect from Discord.

const timeline = document.getElementById("channel-timeline");
const composer = document.getElementById("channel-composer");

// The choice of who is looking stands above the channel; the rest of SimCord's toolbar is hidden.
document.querySelector(".channel-header").append(document.querySelector(".viewer-control"));

// Say so when the demo doesn't answer any more: SimCord says it in its toolbar.
const ended = Object.assign(document.createElement("p"), {
  id: "demo-ended", hidden: true, textContent: "The demo doesn't answer. If it has ended, start it again: make demo",
});
document.querySelector(".channel-header").before(ended);
const said = document.getElementById("action-status");
new MutationObserver(() => {
  const lost = ["error", "uncertain"].includes(window.simcordPreview.transport.state);
  ended.hidden = !lost && !said.textContent.includes("unavailable");
}).observe(said, { childList: true, characterData: true, subtree: true });

// Show suggestions on focus, not only after a key press.
document.addEventListener("focusin", ({ target: field }) => {
  if (!field.matches?.('.command-option-input[role="combobox"]') || field.value) return;
  setTimeout(() => {
    if (field.isConnected && !field.value) field.dispatchEvent(new Event("input", { bubbles: true }));
  });
});

// Enter sends a command whose option holds exactly one of the suggestions; SimCord would choose
// that suggestion again and again. It also loses an Enter while it still asks for suggestions.
const press = (field, key) => field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const isExact = (field) => [...document.querySelectorAll("#command-suggestion-listbox .command-suggestion")]
  .some((item) => [item.dataset.value, item.textContent].includes(field.value));
// On the command itself the suggestions are its options: Enter means one only after an arrow key.
let hasChosen = false;
document.addEventListener("keydown", ({ key, target }) => {
  hasChosen = isCommand(target) && (key.startsWith("Arrow") || (hasChosen && key === "Enter"));
}, true);
const isCommand = (field) => Boolean(field.matches?.(".command-chip"));
const isPart = (field) => isCommand(field) || Boolean(field.matches?.(".command-option-input"));
const isReady = (field) => isCommand(field) ? !hasChosen : field.value && isExact(field);
const isBusy = () => window.simcordPreview.pendingAction !== null || window.simcordPreview.awaitingRevision !== null;
document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key !== "Enter" || event.isComposing || !isPart(field)) return;
  if (isBusy()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    setTimeout(() => { if (isPart(document.activeElement)) press(document.activeElement, "Enter"); }, 50);
  } else if (isReady(field)) {
    press(field, "Escape"); // closes the suggestions
  }
}, true);

// Whoever looks at the newest message, or sends one, keeps seeing the end of the channel.
const ANSWER_MS = 10000; // how long after a press a new message counts as its answer
const MOVE_MS = 1000; // how long after a person's move a scroll counts as theirs
let atEnd = true;
let pinnedUntil = 0;
const distance = () => timeline.scrollHeight - timeline.clientHeight - timeline.scrollTop;
// Only people leave the end. Browser and page scroll too, when messages come and go.
let movedAt = -Infinity;
for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
  timeline.addEventListener(kind, () => {
    movedAt = kind === "pointerdown" ? Infinity : performance.now(); // the scroll bar may be held long
    pinnedUntil = 0;
  }, { passive: true });
}
for (const kind of ["pointerup", "pointercancel"]) {
  document.addEventListener(kind, () => { if (movedAt === Infinity) movedAt = performance.now(); });
}
timeline.addEventListener("scroll", () => {
  if (performance.now() - movedAt < MOVE_MS) atEnd = distance() < 120;
});
composer.addEventListener("submit", () => { atEnd = true; }, true);
composer.addEventListener("keydown", ({ key }) => { if (key === "Enter") atEnd = true; }, true);
// A press or a form is answered at the end, except where the answer changes an older message.
let askedAt = -Infinity;
document.addEventListener("click", ({ target }) => { if (target.closest?.("button")) askedAt = performance.now(); }, true);
new MutationObserver((changes) => {
  const last = timeline.querySelector(".channel-message:last-child");
  const isNew = changes.some(({ addedNodes }) => [...addedNodes].includes(last));
  if (isNew && performance.now() - askedAt < ANSWER_MS) { atEnd = true; keep(); }
}).observe(document.getElementById("channel-message-list"), { childList: true });
function pin() {
  if (performance.now() > pinnedUntil) return;
  if (distance() > 0) timeline.scrollTop = timeline.scrollHeight;
  requestAnimationFrame(pin);
}
function keep() {
  if (!atEnd) return;
  const running = performance.now() <= pinnedUntil;
  pinnedUntil = performance.now() + 400;
  if (!running) pin();
}
const sizes = new ResizeObserver(keep);
sizes.observe(timeline);
sizes.observe(document.getElementById("channel-message-list"));
