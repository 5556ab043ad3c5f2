// A file input of `ResumableFileField` sends its files while the form is filled in, and goes on where
// it was cut. Every form works without this file. `tus` is tus-js-client, loaded before it.
//
// On the <li> of each file bubble upload:added, upload:created (detail.id), upload:progress,
// upload:complete (detail.id), upload:failed (detail.message) and upload:removed.

// What is said; data-texts of the input may have others, as JSON.
const TEXTS = {
  hint: "You can also drop files here, or paste a picture.",
  chooseFolder: "Choose a folder",
  files: "Files to save",
  interrupted: "Interrupted before",
  all: "All files",
  pause: "Pause",
  goOn: "Go on",
  tryAgain: "Try again",
  remove: "Remove",
  take: "Take it",
  waiting: "Waits for its turn",
  paused: "Paused",
  complete: "Has come",
  left: "{time} left",
  goesOnAt: "Goes on at {percent} %.",
  startsAgain: "What had come is no longer there. It is sent again.",
  stoppedAt: "Stopped at {percent} %. Choose the file again, and it goes on there.",
  cameWhole: "Came whole, and was not saved.",
  sent: "{percent} % of {size} sent, {done} of {count}",
  allSent: "All has come: {count}, {size}.",
  oneFile: "1 file",
  manyFiles: "{count} files",
  saving: "Saving when all has come.",
  notYet: "“{name}” has not come. Let it go on, try it again, or remove it. Then save.",
  already: "“{name}” is in the list already.",
  emptyFolder: "There is no file in the folder “{name}”.",
  onlyOne: "Only one file can be taken here: “{name}”.",
  offline: "You are offline. It goes on by itself once you are back.",
  again: "The connection broke, or the site does not answer. It tries again.",
  broken: "The site does not answer.",
  signedOut: "You are signed out. Sign in in another tab, and it goes on here.",
  signIn: "Sign in",
  stranger: "Somebody else is signed in now. Sign in as before, and it goes on here.",
  forbidden: "The site refuses it. Load the page again, and choose the file again.",
  elsewhere: "It goes on in another tab.",
  tooLarge: "It has {size}. One file may have up to {limit}.",
  quota: "There is no room for it now. Save or remove others first.",
  refused: "The site refuses it.",
  vanished: "It cannot be read any more: it was moved, changed or deleted. Choose it again.",
};

// What one request has, and what is lost at most where a proxy keeps a request until it is whole.
const CHUNK = 8 * 1024 ** 2; // data-chunk-size of the input may say another.
const SMALLEST_CHUNK = 64 * 1024;
const SMALL = 1024 ** 2;
const AT_ONCE = 3;
const RETRY_DELAYS = [0, 1000, 3000, 5000, 10000, 20000, 30000, 60000];
const MARK = "lo_storage"; // of our entries in localStorage, and of our locks

const fields = new Set();

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const percentOf = (part, whole) => (whole ? Math.floor((100 * part) / whole) : 100);
const idOf = (url) => new URL(url, location).pathname.split("/").filter(Boolean).at(-1);
const isHidden = (name) => name.startsWith(".") || ["Thumbs.db", "desktop.ini"].includes(name);

function sizeOf(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

function timeOf(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// Another tab then does not offer it as one that nobody waits for.
function lock(id) {
  let release = () => {};
  const held = new Promise((resolve) => {
    release = resolve;
  });
  navigator.locks?.request(`${MARK} ${id}`, { mode: "shared" }, () => held);
  return release;
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// A file of the form: queued, running, held (until something happens elsewhere), paused, failed, complete.
class Row {
  constructor(field, file, li = element("li")) {
    this.field = field;
    this.file = file;
    this.li = li;
    this.sent = 0;
    this.build();
    this.upload = this.client();
  }

  client() {
    const { field, file } = this;
    return new tus.Upload(file, {
      endpoint: field.endpoint,
      chunkSize: field.chunkSize,
      retryDelays: RETRY_DELAYS,
      metadata: { filename: file.name, filetype: file.type },
      // Half as many requests for small files. Of a large one the address should be known first.
      uploadDataDuringCreation: file.size <= Math.min(SMALL, field.chunkSize),
      fingerprint: async () => field.fingerprint(file),
      onBeforeRequest: (request) => request.setHeader("X-CSRFToken", field.token),
      onAfterResponse: (request, response) => this.look(request, response),
      onShouldRetry: (error) => this.shouldRetry(error),
      onUploadUrlAvailable: () => this.created(idOf(this.upload.url)),
      onProgress: (sent) => this.progress(sent),
      onSuccess: () => this.complete(),
      onError: (error) => this.stopped(error),
    });
  }

  build() {
    const { texts } = this.field;
    const { name, size } = this.file;
    this.bar = element("progress", { max: 1, value: 0, "aria-label": name });
    this.about = element("span", { className: "about" });
    this.message = element("p", { className: "message", hidden: true });
    this.toggle = element("button", { type: "button", className: "plain" });
    this.remover = element("button", { type: "button", className: "plain", "aria-label": `${texts.remove} ${name}` }, texts.remove);
    this.toggle.addEventListener("click", () => (this.isOpen ? this.pause() : this.queue()));
    this.remover.addEventListener("click", () => this.remove());
    this.li.classList.add("upload");
    this.li.querySelector("label")?.remove(); // that of a page without a script
    this.li.prepend(
      element("span", { className: "name" }, element("bdi", {}, name), ` (${sizeOf(size)})`),
      this.bar,
      this.about,
      element("span", { className: "buttons" }, this.toggle, this.remover),
      this.message,
    );
  }

  get isOpen() {
    return ["queued", "running"].includes(this.state);
  }

  set(state, message = "", ...nodes) {
    const { texts } = this.field;
    this.state = this.li.dataset.state = state;
    const label = this.isOpen ? texts.pause : state === "paused" ? texts.goOn : texts.tryAgain;
    if (this.toggle.textContent !== label) {
      this.toggle.textContent = label;
      this.toggle.setAttribute("aria-label", `${label} ${this.file.name}`);
    }
    this.toggle.hidden = state === "complete" || this.isHopeless === true;
    this.say(message, ...nodes);
    this.show();
    this.field.count();
    run();
  }

  say(message, ...nodes) {
    this.message.hidden = !message;
    this.message.replaceChildren(message, ...nodes);
  }

  emit(name, detail = {}) {
    this.li.dispatchEvent(new CustomEvent(`upload:${name}`, { bubbles: true, detail }));
  }

  queue() {
    this.isElsewhere = false;
    this.set("queued");
  }

  // The file was chosen once more, perhaps because it could not be read.
  takeAgain(file) {
    const { url } = this.upload;
    this.upload.abort();
    this.file = file;
    this.upload = this.client();
    this.upload.url = url;
    this.queue();
  }

  async start() {
    this.set("running");
    try {
      await this.field.meet();
      if (!this.upload.url) {
        const previous = (await this.upload.findPreviousUploads()).at(-1);
        if (previous) {
          this.field.forget(previous.urlStorageKey);
          this.upload.resumeFromPreviousUpload(previous);
        }
      }
      this.isResumed = Boolean(this.upload.url);
      this.last = undefined;
      // A browser keeps the place of a file, and finds only when it sends it that it is gone.
      if (!(await isReadable(this.file))) this.fail(this.field.texts.vanished);
      else if (this.state === "running") this.upload.start();
    } catch (error) {
      this.stopped(error);
    }
  }

  pause() {
    this.upload.abort();
    this.set("paused");
  }

  remove() {
    const { li, field } = this;
    const next = li.nextElementSibling ?? li.previousElementSibling;
    this.upload.abort(!this.isElsewhere).catch(() => {}); // It expires.
    this.forget();
    this.emit("removed", { id: this.id });
    li.remove();
    field.rows.delete(this);
    field.count();
    run();
    (next?.querySelector("button:last-of-type:not([hidden]), input") ?? field.input).focus();
  }

  forget() {
    this.release?.();
    this.release = undefined;
  }

  created(id) {
    if (id === this.id) return;
    this.bear(id);
    this.emit("created", { id });
  }

  // The form names the upload by it.
  bear(id) {
    this.forget();
    this.id = this.li.dataset.upload = id;
    this.release = lock(id);
    this.hidden ??= this.li.appendChild(element("input", { type: "hidden", name: this.field.name }));
    this.hidden.value = id;
  }

  progress(sent) {
    const now = performance.now();
    if (this.last === undefined || sent < this.last.sent) {
      if (this.isResumed && sent) this.say(fill(this.field.texts.goesOnAt, { percent: percentOf(sent, this.file.size) }));
      else if (!this.isAgain) this.say("");
      this.last = { now, sent };
    } else if (now - this.last.now > 1000) {
      const rate = (1000 * (sent - this.last.sent)) / (now - this.last.now);
      this.rate = this.rate ? 0.7 * this.rate + 0.3 * rate : rate;
      this.last = { now, sent };
    }
    this.sent = sent;
    this.show();
    this.emit("progress", { sent, size: this.file.size });
    this.field.count();
  }

  show() {
    const { texts } = this.field;
    const { size } = this.file;
    this.bar.value = size ? this.sent / size : Number(this.state === "complete");
    if (this.state !== "running") {
      this.about.textContent = { queued: texts.waiting, paused: texts.paused, complete: texts.complete }[this.state] ?? "";
      return;
    }
    const parts = [`${percentOf(this.sent, size)} %`];
    if (this.rate) {
      parts.push(`${sizeOf(Math.round(this.rate))}/s`, fill(texts.left, { time: timeOf((size - this.sent) / this.rate) }));
    }
    this.about.textContent = parts.join(" · ");
  }

  complete() {
    this.sent = this.file.size;
    this.set("complete");
    this.emit("complete", { id: this.id });
    this.field.allThere();
  }

  // What the client would take for another answer: throws, so that stopped() is told.
  look(request, response) {
    const status = response.getStatus();
    const owner = response.getHeader("Upload-Owner");
    if (owner && this.field.owner && owner !== this.field.owner) throw Object.assign(new Error(), { isStranger: true });
    if (status < 400) {
      if (this.isBroken) this.say("");
      this.isBroken = false;
      if (request.getMethod() !== "HEAD") this.isRefreshed = false;
    }
    if (request.getMethod() !== "HEAD" || status < 400) return;
    if (![404, 410].includes(status)) throw Object.assign(new Error(), { status });
    this.isResumed = false; // The client begins again at 0.
    this.isAgain = true;
    this.say(this.field.texts.startsAgain);
  }

  shouldRetry(error) {
    const status = statusOf(error);
    if (error.causingError?.isStranger || !navigator.onLine) return false;
    if (status && (status < 500 || status === 507)) return false;
    this.isBroken = true;
    this.say(this.field.texts.again);
    isReadable(this.file).then((is) => {
      if (!is && this.state === "running") this.fail(this.field.texts.vanished);
    });
    return true;
  }

  async stopped(error) {
    const { field } = this;
    const { texts } = field;
    const status = statusOf(error);
    const answer = error.originalResponse;
    const sentence = answer?.getHeader("Tus-Resumable") ? answer.getBody()?.trim() : "";
    if (error.causingError?.isStranger) this.wait("stranger", field.signIn());
    else if (status === 401) this.wait("signedOut", field.signIn());
    else if (status === 403) {
      const is = this.isRefreshed ? "same" : await field.refreshToken();
      this.isRefreshed = true;
      if (is === "new") this.upload.start();
      else if (is === "signedOut") this.wait("signedOut", field.signIn());
      else this.fail(texts.forbidden);
    } else if ([404, 410].includes(status) && !this.isAgain) {
      this.isAgain = true;
      this.upload.start(); // It asks first, and creates another.
    } else if (status === 409) {
      this.isElsewhere = true;
      this.set("paused", texts.elsewhere);
      field.stopWaiting();
    } else if (status === 413 && !answer?.getHeader("Tus-Resumable") && this.upload.options.chunkSize > SMALLEST_CHUNK) {
      field.chunkSize = this.upload.options.chunkSize /= 2; // a proxy's
      this.upload.start();
    } else if (status === 429 || status === 507) this.fail(sentence || texts.quota);
    else if (status >= 400 && status < 500) this.fail(sentence || texts.refused);
    else if (!navigator.onLine) this.wait("offline");
    else if (!(await isReadable(this.file))) this.fail(texts.vanished);
    else this.wait("broken");
  }

  wait(reason, ...nodes) {
    this.reason = reason;
    this.set("held", this.field.texts[reason], ...nodes);
    this.field.announce(`${this.file.name}: ${this.field.texts[reason]}`);
  }

  fail(message) {
    this.upload.abort();
    this.set("failed", message);
    this.field.stopWaiting();
    this.field.announce(`${this.file.name}: ${message}`);
    this.emit("failed", { message });
  }
}

const statusOf = (error) => error.originalResponse?.getStatus() ?? error.causingError?.status ?? error.status ?? 0;

// Start what waits for its turn.
function run() {
  const rows = [...fields].flatMap((field) => [...field.rows]);
  let free = AT_ONCE - rows.filter((row) => row.state === "running").length;
  for (const row of rows) {
    if (free > 0 && row.state === "queued") {
      free -= 1;
      row.start();
    }
  }
}

// An input with its list; `wrapper` is what the template has made.
class Field {
  constructor(wrapper) {
    this.wrapper = wrapper;
    this.input = wrapper.querySelector("input[type=file]");
    this.form = this.input.form;
    this.endpoint = new URL(wrapper.dataset.uploads, location).href; // `Location` is relative to it.
    this.name = `${this.input.name}-staged`;
    this.texts = { ...TEXTS, ...JSON.parse(this.input.dataset.texts ?? "{}") };
    this.chunkSize = Number(this.input.dataset.chunkSize) || CHUNK;
    this.rows = new Set();
    this.isRequired = this.input.required;
    this.list = wrapper.querySelector("ul.kept") ?? element("ul", { className: "kept" });
    this.list.setAttribute("aria-label", this.texts.files);
    this.bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": this.texts.all });
    this.status = element("p", { className: "status", role: "status" });
    this.build();
    for (const li of this.list.querySelectorAll("li[data-upload]")) this.keep(li);
    this.listen();
    this.offer();
  }

  build() {
    const { input, texts, wrapper } = this;
    const hint = element("p", { className: "hint", id: `${input.id}_drop` }, texts.hint);
    input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") ?? ""} ${hint.id}`.trim());
    // Django's admin gives it a legend in place of a label.
    const legend = input.closest("fieldset")?.querySelector("legend");
    if (!input.labels.length && legend) input.setAttribute("aria-label", legend.textContent.trim());
    wrapper.prepend(this.list);
    wrapper.append(hint, element("div", { className: "total" }, this.bar, this.status));
    if (!input.multiple || !("webkitdirectory" in input)) return;
    const folder = element("input", { type: "file", webkitdirectory: true, hidden: true });
    const button = element("button", { type: "button", className: "plain" }, texts.chooseFolder);
    button.addEventListener("click", () => folder.click());
    folder.addEventListener("change", () => {
      this.add([...folder.files].filter((file) => !isHidden(file.name)));
      folder.value = "";
    });
    hint.append(" ", button, folder);
  }

  listen() {
    const { input, wrapper } = this;
    const zone = this.form ?? wrapper;
    input.addEventListener("change", () => {
      this.add([...input.files]);
      input.value = ""; // Nothing is sent twice.
    });
    zone.addEventListener("dragover", (event) => {
      if (!this.isMeant(event) || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      wrapper.classList.add("dragging");
    });
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(event.relatedTarget)) wrapper.classList.remove("dragging");
    });
    zone.addEventListener("drop", async (event) => {
      wrapper.classList.remove("dragging");
      if (!this.isMeant(event) || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      const { files, emptyFolders } = await filesOf(event.dataTransfer);
      this.add(files);
      for (const name of emptyFolders) this.announce(fill(this.texts.emptyFolder, { name }));
    });
  }

  // Of several in a form the one that it happens in, or else the first.
  isMeant(event) {
    const inOne = event.target.closest?.(".uploads");
    return inOne ? inOne === this.wrapper : [...fields].find((field) => field.form === this.form) === this;
  }

  get token() {
    return this.form?.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  }

  get prefix() {
    return [MARK, this.owner, location.pathname, this.input.name, ""].join("|");
  }

  fingerprint(file) {
    return this.prefix + [file.name, file.size, file.lastModified, file.type].join("|");
  }

  // Whose uploads these are.
  async meet() {
    if (this.owner) return;
    this.asked ??= this.whoIsHere();
    try {
      this.owner = await this.asked;
    } finally {
      this.asked = undefined;
    }
  }

  async whoIsHere() {
    const answer = await fetch(this.endpoint, { method: "OPTIONS", cache: "no-store" });
    if (!answer.ok) throw Object.assign(new Error(), { status: answer.status });
    return answer.headers.get("Upload-Owner");
  }

  add(files) {
    const { texts, input } = this;
    if (!input.multiple && files.length) {
      if (files.length > 1) this.announce(fill(texts.onlyOne, { name: files[0].name }));
      files = files.slice(0, 1);
      this.makeRoom();
    }
    const limit = Number(this.wrapper.dataset.maxSize || Infinity);
    for (const file of files) {
      const twin = [...this.rows].find(
        (row) => row.file.name === file.name && row.file.size === file.size && row.file.lastModified === file.lastModified,
      );
      if (twin && ["failed", "held", "paused"].includes(twin.state) && !twin.isHopeless) twin.takeAgain(file);
      else if (twin) this.announce(fill(texts.already, { name: file.name }));
      if (twin) continue;
      const row = this.addRow(file);
      if (file.size > limit) {
        row.isHopeless = true;
        row.fail(fill(texts.tooLarge, { size: sizeOf(file.size), limit: sizeOf(limit) }));
      } else row.queue();
    }
  }

  // Of a file, or of what came whole before, which has none.
  addRow(file) {
    const row = new Row(this, file);
    this.rows.add(row);
    this.list.append(row.li);
    row.emit("added", file instanceof File ? { file } : {});
    return row;
  }

  // What the page has come back with is a row as any other; whoever made it has heard of it.
  keep(li) {
    const { upload: id, size } = li.dataset;
    const row = new Row(this, { name: li.querySelector("bdi").textContent, size: Number(size), type: "" }, li);
    this.rows.add(row);
    row.upload.url = `${this.endpoint}${id}/`;
    row.sent = row.file.size;
    row.bear(id);
    row.set("complete");
  }

  // A field of one file has the new one.
  makeRoom() {
    for (const row of this.rows) row.remove();
  }

  // One bar for all; said once for each tenth.
  count() {
    const rows = [...this.rows].filter((row) => !row.isHopeless);
    const done = rows.filter((row) => row.state === "complete");
    const size = rows.reduce((sum, row) => sum + row.file.size, 0);
    const sent = rows.reduce((sum, row) => sum + row.sent, 0);
    this.input.required = this.isRequired && !this.rows.size;
    this.bar.hidden = !rows.length || done.length === rows.length;
    this.bar.value = size ? sent / size : 0;
    const tenth = rows.length && `${Math.floor((10 * sent) / (size || 1))} ${rows.length} ${done.length === rows.length}`;
    if (tenth === this.told) return;
    this.told = tenth;
    const count = fill(rows.length === 1 ? this.texts.oneFile : this.texts.manyFiles, { count: rows.length });
    const values = { percent: percentOf(sent, size), size: sizeOf(size), done: done.length, count };
    if (!rows.length) this.announce("");
    else if (done.length === rows.length) this.announce(fill(this.texts.allSent, values));
    else this.announce(`${fill(this.texts.sent, values)}. ${this.waiting ? this.texts.saving : ""}`);
  }

  announce(text) {
    this.status.textContent = text.trim();
  }

  signIn() {
    // Where this page leads who is signed out. It opens beside this one, which has the files.
    return element("a", { href: location.href, target: "_blank", rel: "noopener" }, this.texts.signIn);
  }

  // Who signs in gets another token. "new", "same", or "signedOut".
  async refreshToken() {
    let page;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return "same";
    }
    const wrapper = page.querySelector(".uploads[data-uploads]");
    const fresh = wrapper?.closest("form")?.querySelector("[name=csrfmiddlewaretoken]")?.value;
    if (!fresh) return "signedOut";
    if (!this.form) return "same";
    for (const input of document.querySelectorAll("[name=csrfmiddlewaretoken]")) input.value = fresh;
    return "new";
  }

  // Go on with what is held, if it can be by now.
  async wake(reasons) {
    const held = [...this.rows].filter((row) => row.state === "held" && reasons.includes(row.reason));
    if (!held.length || this.isWaking) return;
    this.isWaking = true;
    try {
      const owner = await this.whoIsHere();
      if (this.owner && owner !== this.owner) {
        for (const row of held) row.wait("stranger", this.signIn());
      } else {
        await this.refreshToken();
        for (const row of held) row.queue();
      }
    } catch {
      // They stay as they are; each has a button.
    } finally {
      this.isWaking = false;
    }
  }

  // The form waits for what still comes.
  hold(event) {
    const open = [...this.rows].filter((row) => row.state !== "complete");
    if (!open.length) return false;
    event.preventDefault();
    event.stopImmediatePropagation();
    const stuck = open.find((row) => ["failed", "paused"].includes(row.state));
    if (stuck) {
      this.stopWaiting();
      this.announce(fill(this.texts.notYet, { name: stuck.file.name }));
      stuck.li.scrollIntoView({ block: "nearest" });
      (stuck.toggle.hidden ? stuck.remover : stuck.toggle).focus();
    } else {
      this.waiting = { submitter: event.submitter };
      this.announce(this.texts.saving);
    }
    return true;
  }

  stopWaiting() {
    this.waiting = undefined;
  }

  allThere() {
    if (!this.waiting || [...this.rows].some((row) => row.state !== "complete")) return;
    const { submitter } = this.waiting;
    this.stopWaiting();
    this.form.requestSubmit(submitter?.isConnected ? submitter : undefined);
  }

  close() {
    for (const row of this.rows) {
      row.upload.abort();
      row.forget();
    }
    fields.delete(this);
  }

  // What was begun on this page and not saved, and that no other tab has.
  async offer() {
    if (!navigator.locks || ![...Array(localStorage.length).keys()].some((n) => localStorage.key(n).startsWith(`tus::${MARK}|`))) return;
    try {
      await this.meet();
      const { held } = await navigator.locks.query();
      const names = held.map(({ name }) => name);
      const entries = await tus.defaultOptions.urlStorage.findAllUploads();
      for (const entry of entries) {
        if (!entry.urlStorageKey.startsWith(`tus::${this.prefix}`) || names.includes(`${MARK} ${idOf(entry.uploadUrl)}`)) continue;
        await this.offerOne(entry);
      }
    } catch {
      // Signed out, or no connection: what is chosen again goes on all the same.
    }
  }

  async offerOne({ urlStorageKey, uploadUrl, size, metadata }) {
    const answer = await fetch(uploadUrl, { method: "HEAD", cache: "no-store", headers: { "Tus-Resumable": "1.0.0" } });
    if (answer.status === 404) localStorage.removeItem(urlStorageKey); // saved, or expired
    if (!answer.ok || [...this.rows].some((row) => row.id === idOf(uploadUrl))) return;
    const { texts } = this;
    const offset = Number(answer.headers.get("Upload-Offset"));
    const name = metadata.filename;
    if (!this.offers) {
      this.offers = element("ul", { className: "interrupted", "aria-label": texts.interrupted });
      this.list.after(this.offers);
    }
    const li = element("li", {}, element("bdi", {}, name), ` (${sizeOf(size)}). `);
    li.dataset.key = urlStorageKey;
    const remover = element("button", { type: "button", className: "plain", "aria-label": `${texts.remove} ${name}` }, texts.remove);
    remover.addEventListener("click", () => {
      tus.Upload.terminate(uploadUrl, { headers: { "X-CSRFToken": this.token } }).catch(() => {}); // It expires.
      localStorage.removeItem(urlStorageKey);
      this.forget(urlStorageKey);
      this.input.focus();
    });
    if (offset === size) {
      const taker = element("button", { type: "button", className: "plain", "aria-label": `${texts.take}: ${name}` }, texts.take);
      taker.addEventListener("click", () => {
        this.forget(urlStorageKey);
        this.take(uploadUrl, urlStorageKey, name, size);
      });
      li.append(`${texts.cameWhole} `, taker);
    } else li.append(`${fill(texts.stoppedAt, { percent: percentOf(offset, size) })} `);
    li.append(" ", remover);
    this.offers.append(li);
  }

  forget(key) {
    [...(this.offers?.children ?? [])].find((li) => li.dataset.key === key)?.remove();
    if (this.offers && !this.offers.children.length) {
      this.offers.remove();
      this.offers = undefined;
    }
  }

  // It is all there: no file is needed.
  take(url, key, name, size) {
    if (!this.input.multiple) this.makeRoom();
    const row = this.addRow({ name, size, type: "" });
    row.upload.resumeFromPreviousUpload({ uploadUrl: url, urlStorageKey: key });
    row.created(idOf(url));
    row.complete();
    row.remover.focus();
  }
}

// Return the files that were dropped, and those of folders, at any depth.
async function filesOf(transfer) {
  const dropped = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]); // now: later it is empty
  const files = [];
  const emptyFolders = [];
  for (const [entry, file] of dropped) {
    if (!entry?.isDirectory) {
      if (file) files.push(file);
      continue;
    }
    const found = await filesIn(entry);
    files.push(...found);
    if (!found.length) emptyFolders.push(entry.name);
  }
  return { files, emptyFolders };
}

async function filesIn(entry) {
  if (isHidden(entry.name)) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const files = [];
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return files;
    for (const child of some) files.push(...(await filesIn(child)));
  }
}

// Browsers call each picture of the clipboard image.png.
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(".");
  const name = file.name.replace("image", `Screenshot ${day} ${time}`);
  return new File([file], name, { type: file.type, lastModified: now.getTime() });
}

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length || event.clipboardData.types.includes("text/plain")) return;
  const form = document.activeElement?.closest("form");
  const field = [...fields].find((one) => one.form === form) ?? [...fields][0];
  if (!field) return;
  event.preventDefault();
  field.add(files.map(named));
});

window.addEventListener("beforeunload", (event) => {
  const isBusy = (row) => row.isOpen || ["held", "paused"].includes(row.state);
  if ([...fields].some((field) => field.wrapper.isConnected && [...field.rows].some(isBusy))) event.preventDefault();
});

// Before any listener of the form: it hears of a submit when all has come.
document.addEventListener(
  "submit",
  (event) => {
    for (const field of fields) if (field.form === event.target && field.hold(event)) return;
  },
  { capture: true },
);

const wakeAll = (...reasons) => {
  for (const field of fields) field.wake(reasons);
};
window.addEventListener("online", () => wakeAll("offline", "broken"));
window.addEventListener("focus", () => wakeAll("signedOut", "stranger", "broken"));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wakeAll("signedOut", "stranger", "broken");
});
document.addEventListener("formset:added", (event) => enhance(event.target)); // of Django's admin

/** Let each input below `root` send its files; those that do already are left as they are. */
export function enhance(root = document) {
  for (const field of fields) if (!field.wrapper.isConnected) field.close();
  for (const wrapper of root.querySelectorAll(".uploads[data-uploads]")) {
    // A page may have this module twice, under two addresses. (Of an empty form copies are made.)
    if (wrapper.uploads || wrapper.closest(".empty-form")) continue;
    wrapper.uploads = new Field(wrapper);
    fields.add(wrapper.uploads);
  }
}

enhance();
