// Added to SimCord's page so that it behaves as people expect from Discord.

// Show suggestions on focus, not only after a key press.
document.addEventListener("focusin", ({ target: field }) => {
  if (!field.matches?.('.command-option-input[role="combobox"]') || field.value) return;
  setTimeout(() => {
    if (field.isConnected && !field.value) field.dispatchEvent(new Event("input", { bubbles: true }));
  });
});

// Whoever looks at the newest message, or sends one, keeps seeing the end of the channel.
const timeline = document.getElementById("channel-timeline");
let atEnd = true;
let pinnedUntil = 0;
const distance = () => timeline.scrollHeight - timeline.clientHeight - timeline.scrollTop;
timeline.addEventListener("scroll", () => { if (performance.now() > pinnedUntil) atEnd = distance() < 120; });
timeline.addEventListener("wheel", () => { pinnedUntil = 0; });
document.getElementById("channel-composer").addEventListener("submit", () => { atEnd = true; }, true);
document.getElementById("channel-composer").addEventListener("keydown", ({ key }) => { if (key === "Enter") atEnd = true; }, true);
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
