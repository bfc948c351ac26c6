// Light, dark, or what the system says. The choice is kept for the next visit; it is all that outlives the tab.

import { byId } from "./ops-dom.js";

const KEY = "gateway-ops-theme";

function apply(choice) {
  document.documentElement.dataset.theme = choice;
}

export function startTheme() {
  const select = byId("theme");
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch { /* Storage is forbidden: the choice lasts as long as the page. */ }
  select.value = ["light", "dark"].includes(kept) ? kept : "auto";
  apply(select.value);
  select.addEventListener("change", () => {
    apply(select.value);
    try {
      localStorage.setItem(KEY, select.value);
    } catch { /* As above. */ }
  });
}
