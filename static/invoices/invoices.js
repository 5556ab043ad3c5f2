// Every page works without this file. With it, forms that take files show what was chosen,
// check sizes before anything is sent, take files that are dropped, show progress, and keep what was
// chosen when something is wrong; and a link has a button that copies it.

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

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

function enhance(form) {
  const input = form.querySelector("input[type=file]");
  const field = input.closest(".field");
  const limits = input.dataset;
  const list = element("ul", { className: "chosen" });
  list.setAttribute("aria-label", "Chosen files");
  const status = element("p", { id: `${input.id}_status` });
  status.setAttribute("role", "status");
  const bar = element("progress", { max: 1, value: 0, hidden: true });
  bar.setAttribute("aria-label", "Upload");
  const cancel = element("button", { type: "button", className: "plain", hidden: true }, "Stop the upload");
  const button = form.querySelector("button:not([type=button])");
  form.querySelector("[data-without-script]")?.remove();
  field.append(list, element("div", { className: "progress" }, bar, status, cancel));
  input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") ?? ""} ${status.id}`.trim());

  function problem(file) {
    if (file.size === 0) return "The file is empty, so there is no invoice in it.";
    if (file.size > Number(limits.maxFileSize)) {
      return `The file is ${size(file.size)} large. One file may be up to ${size(Number(limits.maxFileSize))}.`;
    }
    return "";
  }

  function problemOfAll(files) {
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const bad = files.filter(problem).length;
    if (bad) return `${bad} of ${plural(files.length, "file")} cannot be uploaded.`;
    if (files.length > Number(limits.maxBatchFiles ?? Infinity)) {
      return `These are ${files.length} files. One upload may have up to ${limits.maxBatchFiles}.`;
    }
    if (total > Number(limits.maxBatchSize ?? Infinity)) {
      return `Together they are ${size(total)} large. One upload may have up to ${size(Number(limits.maxBatchSize))}.`;
    }
    return "";
  }

  function choose(files) {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    show();
  }

  function show() {
    field.classList.remove("invalid");
    field.querySelectorAll(":scope > .errorlist").forEach((errors) => errors.remove());
    input.removeAttribute("aria-invalid");
    showFiles();
  }

  function showFiles() {
    const files = [...input.files];
    list.replaceChildren(
      ...files.map((file) => {
        const remove = element("button", { type: "button", className: "plain" }, "Remove");
        remove.setAttribute("aria-label", `Remove ${file.name}`);
        remove.addEventListener("click", () => {
          choose(files.filter((other) => other !== file));
          input.focus();
        });
        const row = element("li", {}, element("bdi", {}, file.name), element("span", { className: "size" }, size(file.size)), remove);
        if (problem(file)) row.append(element("p", { className: "errorlist" }, problem(file)));
        return row;
      }),
    );
    const total = files.reduce((sum, file) => sum + file.size, 0);
    status.textContent = files.length ? problemOfAll(files) || `${plural(files.length, "file")}, ${size(total)}` : "";
    status.className = problemOfAll(files) ? "errorlist" : "";
  }

  if (input.files.length) showFiles(); // kept from the page before, beside what the server says of them
  input.addEventListener("change", show);

  form.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    field.classList.add("dragging");
  });
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) field.classList.remove("dragging");
  });
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    field.classList.remove("dragging");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    const dropped = [...event.dataTransfer.files].filter((file) => !folders.includes(file.name));
    if (dropped.length) choose(input.multiple ? [...input.files, ...dropped] : dropped.slice(0, 1));
    if (folders.length) {
      say(`${quoted(folders)} ${folders.length === 1 ? "is a folder" : "are folders"}: open it, and drop the files in it.`);
    }
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const files = [...input.files];
    if (problemOfAll(files)) {
      show();
      field.classList.add("invalid");
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return;
    }
    if (!button.disabled) send();
  });

  // Of something that went wrong: the files stay chosen, and the button can be pressed again.
  function say(...message) {
    status.className = message[0] ? "errorlist" : "";
    status.replaceChildren(...message);
    status.scrollIntoView({ block: "nearest" }); // The button is far below, on a phone.
  }

  function idle(...message) {
    button.disabled = false;
    bar.hidden = cancel.hidden = true;
    say(...message);
  }

  async function send() {
    button.disabled = true;
    status.className = "";
    status.textContent = "Sending";
    const problem = (await problemOfFiles(input.files)) ?? (await problemOfSession(form));
    if (problem) idle(...problem);
    else transmit();
  }

  function transmit() {
    const request = new XMLHttpRequest();
    cancel.onclick = () => request.abort();

    let told = 0;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = loaded / total;
      const tenth = Math.floor((10 * loaded) / total);
      if (tenth === told) return; // A screen reader should not have to say every percent.
      told = tenth;
      status.textContent = `${10 * tenth} % of ${size(total)} sent`;
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      cancel.hidden = true; // What is written now does not stop for it.
      status.textContent = "All is sent. The database is writing it.";
    });
    request.addEventListener("load", () => {
      const page = parsed(request.responseText);
      const problem = refusal(request.status, page) ?? signedOut(page, request.responseURL);
      if (problem) idle(...problem);
      else replacePage(page, request.responseURL);
    });
    request.addEventListener("error", async () => idle(...((await problemOfFiles(input.files)) ?? broken())));
    request.addEventListener("abort", () => {
      idle();
      status.textContent = "Stopped. Nothing was saved.";
    });

    bar.value = 0;
    bar.hidden = cancel.hidden = false;
    request.open("POST", form.action);
    request.send(new FormData(form));
  }
}

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
const quoted = (names) => names.map((name) => `“${name}”`).join(", ");

// What follows returns what to say, or nothing if all is well.

// A browser keeps the place of a file, and finds only when it sends it that it is gone, or another.
async function problemOfFiles(files) {
  const gone = [];
  for (const file of files) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      gone.push(file.name);
    }
  }
  if (gone.length) return [`${quoted(gone)} cannot be read any more: it was moved, changed or deleted since it was chosen. Choose it again.`];
}

// Asked before hundreds of megabytes are sent. Who signed in again has a new token for forms, too.
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
  return ["You are signed out, and nothing was saved. ", link, ", then send this again: what you chose stays here."];
}

// A page about an error says what happened in its first two lines.
function refusal(status, page) {
  if (status < 400) return;
  const lines = [...page.querySelectorAll("main h1, main .lead")].map((line) => line.textContent.trim());
  return lines.length ? [lines.join(". ")] : [`The server refused this, with status ${status}. What you chose stays here; try again later.`];
}

function broken() {
  if (!navigator.onLine) return ["You are offline. Send this again when there is a connection: what you chose stays here."];
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
}

// Back, after a page was shown in place. Links to a part of the page fire popstate as well.
const place = () => location.pathname + location.search;
let shown = place();
addEventListener("popstate", () => {
  if (place() !== shown) location.reload();
});
start();
