// What operators do, with a question before what cannot be taken back, and a word after it. One question at a time.
// Limits: `TOASTS_MAX` words are shown, each for `TOAST_MS`.

import { byId, h, setAttribute, setText } from "./ops-dom.js";

const TOASTS_MAX = 3;
const TOAST_MS = 6000;

/** Asks; resolves to whether the answer was yes. Escape means no. */
export function confirmed({ title, text, action, isDangerous = true }) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  const yes = byId("confirm-yes");
  setText(yes, action);
  setAttribute(yes, "class", isDangerous ? "danger" : "primary");
  return new Promise((resolve) => {
    const end = (answer) => () => {
      yes.onclick = byId("confirm-no").onclick = dialog.onclose = null;
      if (dialog.open) dialog.close();
      resolve(answer);
    };
    yes.onclick = end(true);
    byId("confirm-no").onclick = end(false);
    // The event comes some time after the closing: while a question is open it is the last one's.
    dialog.onclose = () => { if (!dialog.open) end(false)(); };
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

/** Says what became of something. `kind`: ok or bad. */
export function say(text, kind = "ok") {
  const toasts = byId("toasts");
  const toast = h("p", { className: `toast state ${kind}`, text });
  toasts.append(toast);
  while (toasts.children.length > TOASTS_MAX) toasts.firstChild.remove();
  setTimeout(() => toast.remove(), TOAST_MS);
}

/** Runs `work` with its button disabled, and says how it ended. `work` returns the words for success. */
export async function carryOut(button, work) {
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  try {
    say(await work());
  } catch (failure) {
    say(`Not done: ${failure.message}`, "bad");
  } finally {
    button.disabled = false;
    // A disabled button loses the focus.
    if (hadFocus && document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}
