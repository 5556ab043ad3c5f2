// Every page works without this file. With it, each file that is chosen has a row of its own at once,
// a form that fails stays as it is, and a link has a button that copies it.

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function start() {
  focusOnWhatMatters(); // of site.js
  for (const form of document.querySelectorAll("form[data-upload]")) enhance(form);
  for (const input of document.querySelectorAll("input[data-copy]")) addCopyButton(input);
}

function addCopyButton(input) {
  const button = element("button", { type: "button", className: "plain" }, "Copy the link");
  const status = element("span");
  status.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    input.select();
    try {
      await navigator.clipboard.writeText(input.value);
      status.textContent = " Copied.";
    } catch {
      status.textContent = " Selected: copy it with the keyboard."; // no HTTPS, or not allowed
    }
  });
  input.after(button, status);
}

// The file input is the library's: lo_storage/uploads/uploads.js sends, and holds the form back.
function enhance(form) {
  const button = form.querySelector("button:not([type=button])");
  const status = element("p", { className: "sending" });
  status.setAttribute("role", "status");
  button.closest(".actions").after(status);
  if (form.querySelector(".rows")) addRows(form);
  else showBeside(form);

  // Of something that went wrong: the files stay, and the button can be pressed again.
  function idle(...message) {
    button.disabled = false;
    status.className = "sending errorlist";
    status.replaceChildren(...message);
    status.scrollIntoView({ block: "nearest" });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    status.className = "sending";
    status.textContent = "Saving";
    const problem = await problemOfSession(form);
    if (problem) return idle(...problem);
    let answer, page;
    try {
      answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      page = parsed(await answer.text());
    } catch {
      return idle(...broken());
    }
    const refused = refusal(answer.status, page) ?? signedOut(page, answer.url);
    if (refused) idle(...refused);
    else replacePage(page, answer.url);
  });
}

const LOOK_EVERY = 250; // ms

const notLookedAt = new Map();
let isLooking = false;

// What the server knows of a file that has come: asked by one question for all that come at once.
function look(place, id) {
  return new Promise((resolve) => {
    notLookedAt.set(id, resolve);
    if (!isLooking) lookAtAll(place.dataset.looks);
  });
}

async function lookAtAll(address) {
  isLooking = true;
  while (notLookedAt.size) {
    const asked = [...notLookedAt];
    notLookedAt.clear();
    const page = await answered(address + asked.map(([id]) => `id=${id}`).join("&"));
    for (const [id, resolve] of asked) {
      resolve([...(page.querySelector(`template[data-upload="${id}"]`)?.content.childNodes ?? [])]);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  isLooking = false;
}

// Offline or signed out, it is asked again afterwards.
async function answered(address) {
  for (;;) {
    try {
      const answer = await fetch(address, { redirect: "error" });
      if (answer.status < 500) return parsed(answer.ok ? await answer.text() : "");
    } catch {
      // No answer, or that of the page for signing in.
    }
    await new Promise((resolve) => {
      for (const event of ["online", "focus"]) addEventListener(event, resolve, { once: true });
    });
  }
}

let rowsMade = 0;

// Each file has its invoice below it, filled from its name, and from what holds for all.
function addRows(form) {
  const place = form.querySelector(".rows");
  const template = form.querySelector("#new-row");
  const numbers = JSON.parse(place.dataset.numbers);
  const common = (name) => form.elements[name].value;
  const rows = () => [...form.querySelectorAll("[data-row]")];
  const field = (row, name) => row.querySelector(`[name$="-${name}"]`);
  const nameOf = (row) => row.querySelector("legend bdi").textContent;

  function filled(row) {
    const name = nameOf(row);
    return {
      title: common("title") || titleOf(name),
      amount: common("amount"),
      issued: common("issued") || dateOf(name) || place.dataset.today,
    };
  }

  function fill() {
    const taken = {};
    for (const row of rows()) {
      for (const [name, value] of Object.entries(filled(row))) {
        const input = field(row, name);
        if (!("edited" in input.dataset)) input.value = value;
      }
      const number = field(row, "number");
      const year = field(row, "issued").value.slice(0, 4);
      const next = Number((numbers[year] ?? "-1").split("-")[1]) + (taken[year] ?? 0);
      number.placeholder = year ? `${year}-${String(next).padStart(4, "0")}` : "";
      if (!number.value) taken[year] = (taken[year] ?? 0) + 1;
    }
  }

  for (const row of rows()) {
    const li = form.querySelector(`li[data-upload="${row.dataset.row}"]`);
    if (!li) continue;
    li.append(row);
    for (const [name, value] of Object.entries(filled(row))) {
      const input = field(row, name);
      if (input.value && input.value !== value) input.dataset.edited = "";
    }
  }

  form.addEventListener("upload:added", ({ target: li }) => {
    rowsMade += 1;
    const copy = element("template");
    copy.innerHTML = template.innerHTML.replaceAll("new-row", `row-${rowsMade}`);
    const row = copy.content.querySelector("[data-row]");
    row.querySelector("legend bdi").textContent = li.querySelector("bdi").textContent;
    li.append(row);
    fill();
  });
  form.addEventListener("upload:created", ({ target: li, detail: { id } }) => {
    for (const input of li.querySelectorAll("[data-row] [name]")) {
      input.name = `${id}-${input.name.split("-").at(-1)}`;
    }
  });
  form.addEventListener("upload:complete", async ({ target: li, detail: { id } }) => {
    li.querySelector("[data-look]")?.replaceChildren(...(await look(place, id)));
  });
  form.addEventListener("upload:removed", () => setTimeout(fill));
  form.addEventListener("input", ({ target }) => {
    if (target.closest("[data-row]")) {
      if (target.value) target.dataset.edited = "";
      else delete target.dataset.edited;
    }
    if (target.closest("[data-for-all], [data-row]") && target.type !== "hidden") fillBut(target);
  });

  // What is just being typed is not typed over.
  function fillBut(input) {
    const was = "edited" in input.dataset;
    input.dataset.edited = "";
    fill();
    if (!was) delete input.dataset.edited;
  }
  fill();
}

const titleOf = (name) => (name.replace(/(?<=.)(\.[A-Za-z0-9]{1,10}){1,2}$/, "").split(/\s+/).filter(Boolean).join(" ").slice(0, 200) || "Untitled");

// The one date in a name, 2026-03-31 or 20260331.
function dateOf(name) {
  const found = new Set();
  for (const [, year, , month, day] of name.matchAll(/(?<!\d)((?:19|20)\d\d)([-._ ]?)(\d\d)\2(\d\d)(?!\d)/g)) {
    const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
    if (!Number.isNaN(date.valueOf()) && date.getUTCDate() === Number(day)) found.add(`${year}-${month}-${day}`);
  }
  return found.size === 1 ? [...found][0] : "";
}

// The new file beside the old one, before it takes its place.
function showBeside(form) {
  const both = form.querySelector(".old-and-new");
  if (!both) return;
  const place = both.querySelector("[data-look]");
  let shown = form.querySelector("li[data-upload]"); // of a form that was refused
  form.addEventListener("upload:complete", async ({ target: li, detail: { id } }) => {
    const found = await look(both, id);
    if (!li.isConnected) return; // It was removed meanwhile.
    shown = li;
    place.replaceChildren(...found);
    both.hidden = !place.children.length;
  });
  form.addEventListener("upload:removed", ({ target: li }) => {
    if (li !== shown) return;
    both.hidden = true;
    place.replaceChildren();
  });
}

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

// What follows returns what to say, or nothing if all is well.

// Who signed in again has a new token for forms.
async function problemOfSession(form) {
  let answer, page;
  try {
    answer = await fetch(form.action);
    page = parsed(await answer.text());
  } catch {
    return broken();
  }
  const problem = refusal(answer.status, page) ?? signedOut(page, answer.url);
  if (problem) return problem;
  const user = (root) => root.querySelector(".sign-out span").textContent;
  if (user(page) !== user(document)) {
    return [`You are signed in as ${user(page)} now. Load this page again to upload for ${user(page)}.`];
  }
  const token = "[name=csrfmiddlewaretoken]";
  for (const input of document.querySelectorAll(token)) input.value = page.querySelector(token).value;
}

function signedOut(page, address) {
  if (page.querySelector(".sign-out")) return;
  const link = element("a", { href: address, target: "_blank" }, "Sign in in another tab");
  return ["You are signed out, and nothing was saved. ", link, ", then send this again: what you sent stays here."];
}

// A page about an error says what happened in its first two lines.
function refusal(status, page) {
  if (status < 400) return;
  const lines = [...page.querySelectorAll("main h1, main .lead")].map((line) => line.textContent.trim());
  return lines.length ? [lines.join(". ")] : [`The server refused this, with status ${status}. What you sent stays here; try again later.`];
}

function broken() {
  if (!navigator.onLine) return ["You are offline. Send this again when there is a connection: what you sent stays here."];
  return ["The connection broke. Send this again: nothing is saved twice."];
}

// The answer is a page, after a redirect or with errors in it, and is shown like one.
function replacePage(page, address) {
  if (address !== location.href) history.pushState(null, "", address);
  shown = place();
  document.title = page.title;
  for (const part of ["header", "main", "footer"]) {
    document.querySelector(`body > ${part}`).replaceWith(page.querySelector(`body > ${part}`));
  }
  scrollTo(0, 0);
  document.querySelector("#main").focus({ preventScroll: true });
  start();
  const module = document.querySelector('script[type="module"][src*="lo_storage/uploads/"]');
  if (module) import(module.src).then((uploads) => uploads.enhance());
}

// Back, after a page was shown in place. Links to a part of the page fire popstate as well.
const place = () => location.pathname + location.search;
let shown = place();
addEventListener("popstate", () => {
  if (place() !== shown) location.reload();
});
start();
