// @ts-check
// Loads the page again when one of its files was lost on the way: a phone changes its network, the
// controller is just restarting. Without this the page would stay empty.
(() => {
  const MOST = 5;
  const key = "botmaker.lost";
  addEventListener("error", (event) => {
    const lost = event.target instanceof HTMLScriptElement || event.target instanceof HTMLLinkElement;
    if (!lost) return;
    const tries = Number(sessionStorage.getItem(key) ?? 0);
    if (tries >= MOST) {
      const place = document.getElementById("app");
      if (place) place.textContent = "BotMaker doesn't answer. Load this page again in a moment.";
      sessionStorage.removeItem(key);
      return;
    }
    sessionStorage.setItem(key, String(tries + 1));
    setTimeout(() => location.reload(), 300 * (tries + 1));
  }, true);
})();
