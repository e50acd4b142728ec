// The console's only script of our own. Every page works without it: it adds
// copy buttons, keys, and links between a token and its bar.
const q = (s, root = document) => root.querySelector(s);
const qa = (s, root = document) => Array.from(root.querySelectorAll(s));

// Copy: a button with data-copy holds the whole text, hash or address.
document.addEventListener("click", async (e) => {
  const b = e.target.closest("[data-copy]");
  if (!b) return;
  e.preventDefault();
  const text = b.dataset.copy === "url" ? location.href : b.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    say(b.dataset.done || "");
    b.setAttribute("data-copied", "");
    setTimeout(() => b.removeAttribute("data-copied"), 1500);
  } catch {
    say(text);
  }
});

// One polite live region for the whole page, at most one message a second.
let last = 0;
function say(text) {
  const live = q("#live");
  if (!live || !text) return;
  const wait = Math.max(0, last + 1000 - Date.now());
  setTimeout(() => { live.textContent = text; last = Date.now(); }, wait);
}

// Token strip: focus or click on a token marks its bar, and the other way round.
function mark(n, on) {
  qa(`[data-tok="${n}"]`).forEach((el) => {
    if (el.matches("tr")) el.classList.toggle("here", on);
    else if (on) el.setAttribute("aria-current", "true");
    else el.removeAttribute("aria-current");
  });
}
for (const type of ["pointerover", "focusin"]) {
  document.addEventListener(type, (e) => {
    const el = e.target.closest("[data-tok]");
    if (!el) return;
    const here = new Set(qa("[data-tok][aria-current], tr.here[data-tok]").map((x) => x.dataset.tok));
    here.forEach((n) => mark(n, false));
    mark(el.dataset.tok, true);
  });
}

// Arrows walk along token strips and head grids; only one stop in the tab order.
function items(strip) { return qa("a, button", strip); }
for (const strip of qa("[data-roving]")) {
  const all = items(strip);
  const start = all.find((x) => x.hasAttribute("aria-current")) || all[0];
  all.forEach((x) => { x.tabIndex = x === start ? 0 : -1; });
  const width = Number(strip.dataset.roving) || 0;
  strip.addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width || 1, ArrowUp: -(width || 1) }[e.key];
    const now = items(strip);
    const at = now.indexOf(document.activeElement);
    if (at < 0) return;
    let to = step === undefined ? -1 : at + step;
    if (e.key === "Home") to = 0;
    if (e.key === "End") to = now.length - 1;
    if (to < 0 || to >= now.length) return;
    e.preventDefault();
    now[at].tabIndex = -1;
    now[to].tabIndex = 0;
    now[to].focus();
  });
}

// Keys: / search, g then a letter goes to a page, ? help.
const pages = { d: "/", p: "/playground", l: "/predictions", m: "/models", a: "/audit", e: "/exports", r: "/policies", h: "/help" };
let pending = 0;
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, textarea, select, [contenteditable]")) return;
  if (e.key === "/") {
    const f = q("#q");
    if (f) { e.preventDefault(); f.focus(); }
  } else if (e.key === "?") {
    const help = q("#keys");
    if (help && help.showModal) { e.preventDefault(); help.showModal(); } else location.href = "/help#keys";
  } else if (e.key === "g") {
    pending = Date.now();
  } else if (pages[e.key] && Date.now() - pending < 1500) {
    location.href = pages[e.key];
  }
});

// Native dialogs: data-open names one, data-close closes the one around it.
document.addEventListener("click", (e) => {
  const open = e.target.closest("[data-open]");
  if (open) {
    const d = document.getElementById(open.dataset.open);
    if (d && d.showModal) { e.preventDefault(); d.showModal(); }
  }
  if (e.target.closest("[data-close]")) e.target.closest("dialog")?.close();
});

// Print button; without script the browser's own menu does it.
document.addEventListener("click", (e) => { if (e.target.closest("[data-print]")) { e.preventDefault(); print(); } });

// Forms with data-once cannot be sent twice; the button says that it is working.
document.addEventListener("submit", (e) => {
  const f = e.target;
  if (!f.matches("[data-once]")) return;
  if (f.dataset.sent) { e.preventDefault(); return; }
  f.dataset.sent = "1";
  const b = q("button[data-busy]", f);
  if (b) { b.setAttribute("aria-busy", "true"); say(b.dataset.busy); q("span", b) ? (q("span", b).textContent = b.dataset.busy) : (b.textContent = b.dataset.busy); }
});
addEventListener("pageshow", () => qa("form[data-sent]").forEach((f) => delete f.dataset.sent));

// Pictures: paste or drop onto the file field.
for (const zone of qa("[data-drop]")) {
  const input = q("input[type=file]", zone);
  const take = (files) => { if (files && files.length) { input.files = files; input.dispatchEvent(new Event("change", { bubbles: true })); } };
  zone.addEventListener("dragover", (e) => { e.preventDefault(); zone.setAttribute("data-over", ""); });
  zone.addEventListener("dragleave", () => zone.removeAttribute("data-over"));
  zone.addEventListener("drop", (e) => { e.preventDefault(); zone.removeAttribute("data-over"); take(e.dataTransfer.files); });
  document.addEventListener("paste", (e) => { if (e.clipboardData && e.clipboardData.files.length) take(e.clipboardData.files); });
}

// Forms with data-stream show an answer while it is written, and then lead to the page that keeps it. Without script the same form
// waits for the whole answer.
for (const f of qa("form[data-stream]")) {
  f.addEventListener("submit", async (e) => {
    e.preventDefault();
    const box = q("#stream"), out = q("[data-out]", box), stop = q("[data-stop]", box), kept = q("[data-kept]", box);
    const cut = new AbortController();
    let began = false;
    stop.onclick = () => cut.abort();
    const on = {
      start: (d) => { began = true; out.textContent = ""; kept.href = d.url; box.hidden = false; box.scrollIntoView({ block: "nearest" }); },
      text: (d) => { out.textContent += d.text; },
      done: (d) => { location.href = d.url; },
      problem: (d) => { out.textContent += "\n" + d.text; kept.hidden = false; say(d.text); },
    };
    try {
      const r = await fetch(f.action, { method: "POST", body: new URLSearchParams(new FormData(f)), headers: { Accept: "text/event-stream" }, signal: cut.signal });
      if (!(r.headers.get("Content-Type") || "").startsWith("text/event-stream")) { f.submit(); return; }
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) {
          const m = /^event: (\w+)\ndata: (.*)$/.exec(part);
          if (m && on[m[1]]) on[m[1]](JSON.parse(m[2]));
        }
      }
    } catch {
      if (!began) { if (!cut.signal.aborted) f.submit(); return; }
      stop.hidden = true;
      kept.hidden = false;
      say(stop.dataset.stopped);
      delete f.dataset.sent;
    }
  });
}
