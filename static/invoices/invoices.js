// Every page works without this file. With it, forms that take files show what was chosen,
// check sizes before anything is sent, take files that are dropped, and show progress; and a link
// has a button that copies it.

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
    const files = [...input.files];
    field.classList.remove("invalid");
    field.querySelectorAll(":scope > .errorlist").forEach((errors) => errors.remove());
    input.removeAttribute("aria-invalid");
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
    const dropped = [...event.dataTransfer.files];
    choose(input.multiple ? [...input.files, ...dropped] : dropped.slice(0, 1));
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
    send();
  });

  function send() {
    const request = new XMLHttpRequest();
    const button = form.querySelector("button:not([type=button])");
    const stop = () => request.abort();

    function idle(message) {
      button.disabled = false;
      bar.hidden = cancel.hidden = true;
      cancel.removeEventListener("click", stop);
      status.textContent = message;
    }

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
      status.textContent = "All is sent. The database is writing it.";
    });
    request.addEventListener("load", () => replacePage(request));
    request.addEventListener("error", () => idle("The connection broke. Nothing was saved; try again."));
    request.addEventListener("abort", () => idle("Stopped. Nothing was saved."));

    button.disabled = true;
    bar.hidden = cancel.hidden = false;
    cancel.addEventListener("click", stop);
    status.className = "";
    status.textContent = "Sending";
    request.open("POST", form.action);
    request.send(new FormData(form));
  }
}

// The answer is a page, after a redirect or with errors in it, and is shown like one.
function replacePage(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  if (!page.querySelector("#main")) {
    document.open();
    document.write(request.responseText);
    document.close();
    return;
  }
  if (request.responseURL !== location.href) history.pushState(null, "", request.responseURL);
  shown = address();
  document.title = page.title;
  for (const part of ["header", "main", "footer"]) {
    document.querySelector(`body > ${part}`).replaceWith(page.querySelector(`body > ${part}`));
  }
  scrollTo(0, 0);
  document.querySelector("#main").focus({ preventScroll: true });
  start();
}

// Back, after a page was shown in place. Links to a part of the page fire popstate as well.
const address = () => location.pathname + location.search;
let shown = address();
addEventListener("popstate", () => {
  if (address() !== shown) location.reload();
});
start();
