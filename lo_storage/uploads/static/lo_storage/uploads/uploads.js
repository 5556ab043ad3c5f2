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
  begunElsewhere: "Has not come whole. It goes on only where it was begun, on another page or in another browser.",
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
  again: "The connection broke, or the site has too much to do. It tries again.",
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
const DELAYS = [0, 1000, 3000, 5000, 10000, 20000, 30000, 60000]; // the last one again and again
const MARK = "lo_storage"; // of our entries in localStorage, and of our locks

const fields = new Set();

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const percentOf = (part, whole) => (whole ? Math.floor((100 * part) / whole) : 100);
const idOf = (url) => new URL(url, location).pathname.split("/").filter(Boolean).at(-1);
const isHidden = (name) => name.startsWith(".") || ["Thumbs.db", "desktop.ini"].includes(name);
const never = () => new Promise(() => {});

// As the filter `visible` of the templates.
const HIDDEN = /[\0-\x1f\x7f-\x9f\xad\u180e\u200b\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]/g;
const visible = (name) => name.replace(HIDDEN, (one) => `[U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);

const paths = new WeakMap(); // of files that were dropped in a folder
const pathOf = (file) => paths.get(file) ?? (file.webkitRelativePath || file.name);
const keyOf = (file) => [pathOf(file), file.size, file.lastModified, file.type].join("|");

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

// Another tab then does not offer it as one that nobody waits for, and isShared() tells whether one has it.
function lock(id) {
  let release = () => {};
  const held = new Promise((resolve) => {
    release = resolve;
  });
  navigator.locks?.request(`${MARK} ${id}`, { mode: "shared" }, () => held);
  return release;
}

async function isShared(id) {
  const { held } = (await navigator.locks?.query()) ?? { held: [] };
  return held.filter(({ name }) => name === `${MARK} ${id}`).length > 1;
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// A file of the form: queued, running, held (it is tried again), paused, failed, complete.
class Row {
  constructor(field, file, li = element("li")) {
    this.field = field;
    this.file = file;
    this.li = li;
    this.name = visible(file.name);
    this.sent = 0;
    this.turn = 0; // one more whenever something else begins
    this.attempts = 0; // since a piece has come
    this.tried = new Set(); // since then, too
    this.build();
  }

  // Of one that another turn has followed nothing more is sent or heard.
  client() {
    const { field, file, turn } = this;
    const now =
      (then) =>
      (...values) =>
        turn === this.turn ? then(...values) : never();
    const path = pathOf(file);
    const upload = new tus.Upload(file, {
      endpoint: field.endpoint,
      chunkSize: field.chunkSize,
      retryDelays: null, // wait() is for that.
      metadata: { filename: file.name, filetype: file.type, ...(path !== file.name && { relativePath: path }) },
      // Half as many requests for small files. Of a large one the address should be known first.
      uploadDataDuringCreation: file.size <= Math.min(SMALL, field.chunkSize),
      fingerprint: async () => field.prefix + keyOf(file),
      onBeforeRequest: now((request) => request.setHeader("X-CSRFToken", field.token)),
      onAfterResponse: now((request, response) => this.look(request, response)),
      onUploadUrlAvailable: now(() => this.created(upload.url)),
      onProgress: now((sent) => this.progress(sent)),
      onSuccess: now(() => this.complete()),
      onError: now((error) => this.stopped(error)),
    });
    return upload;
  }

  // What comes back after something else has begun goes nowhere.
  async during(promise) {
    const { turn } = this;
    try {
      return await promise;
    } finally {
      if (turn !== this.turn) await never();
    }
  }

  build() {
    const { name, file, field } = this;
    const { texts } = field;
    this.bar = element("progress", { max: 1, value: 0, "aria-label": name });
    this.about = element("span", { className: "about" });
    this.message = element("p", { className: "message", hidden: true });
    this.toggle = element("button", { type: "button", className: "plain" });
    this.remover = element("button", { type: "button", className: "plain", "aria-label": `${texts.remove} ${name}` }, texts.remove);
    this.toggle.addEventListener("click", () => (this.isOpen ? this.pause() : this.queue()));
    this.remover.addEventListener("click", () => {
      const next = this.li.nextElementSibling ?? this.li.previousElementSibling;
      this.remove();
      (next?.querySelector("button:last-of-type:not([hidden]), input") ?? field.input).focus();
    });
    this.li.classList.add("upload");
    this.li.querySelector("label")?.remove(); // that of a page without a script
    this.li.prepend(
      element("span", { className: "name" }, element("bdi", {}, name), ` (${sizeOf(file.size)})`),
      this.bar,
      this.about,
      element("span", { className: "buttons" }, this.toggle, this.remover),
      this.message,
    );
  }

  get isOpen() {
    return ["queued", "running"].includes(this.state);
  }

  halt() {
    const { field, upload } = this;
    this.turn += 1;
    clearTimeout(this.timer);
    if (!upload || upload.url) return upload?.abort();
    // It may be made already, and has an address only when that is answered.
    const goes = () => {
      upload.abort();
      field.discard(upload.url);
    };
    Object.assign(upload.options, { onAfterResponse: null, onUploadUrlAvailable: goes, storeFingerprintForResuming: false });
  }

  set(state) {
    const { texts } = this.field;
    this.halt();
    this.state = this.li.dataset.state = state;
    const label = this.isOpen ? texts.pause : state === "paused" ? texts.goOn : texts.tryAgain;
    if (this.toggle.textContent !== label) {
      this.toggle.textContent = label;
      this.toggle.setAttribute("aria-label", `${label} ${this.name}`);
    }
    this.toggle.hidden = state === "complete" || this.isHopeless === true;
    this.show();
    this.field.count();
    run();
  }

  // Or nothing. `reason` is why it is held: that is said until the site answers.
  say(message = "", reason = undefined) {
    this.reason = reason;
    this.message.hidden = !message;
    this.message.replaceChildren(message);
  }

  emit(name, detail = {}) {
    this.li.dispatchEvent(new CustomEvent(`upload:${name}`, { bubbles: true, detail }));
  }

  queue() {
    this.isElsewhere = this.isAgain = false;
    this.tried.clear();
    if (!this.reason) this.say();
    this.set("queued");
  }

  // The file was chosen once more, perhaps because it could not be read.
  takeAgain(file) {
    this.file = file;
    this.queue();
  }

  async start() {
    const { field, file } = this;
    this.set("running");
    try {
      await this.during(field.meet());
      const upload = this.client();
      const known = await this.during(upload.findPreviousUploads());
      const previous = this.url ? (known.find((one) => one.uploadUrl === this.url) ?? { uploadUrl: this.url, urlStorageKey: null }) : known.at(-1);
      this.isResumed = Boolean(previous);
      this.last = undefined;
      if (previous) {
        this.url = previous.uploadUrl;
        upload.resumeFromPreviousUpload(previous);
        forget(this.url);
      }
      // A browser keeps the place of a file, and finds only when it sends it that it is gone.
      if (!(await this.during(isReadable(file)))) return this.fail(field.texts.vanished);
      this.upload = upload;
      upload.start();
    } catch (error) {
      this.stopped(error);
    }
  }

  pause(message) {
    this.say(message);
    this.set("paused");
  }

  remove() {
    const { li, field } = this;
    this.halt();
    this.release?.();
    if (this.url && !this.isElsewhere) field.discard(this.url);
    this.emit("removed", { id: this.id });
    li.remove();
    field.rows.delete(this);
    field.notify();
    field.told = undefined; // What was said may have been about this one.
    field.count();
    run();
    field.allThere();
  }

  created(url) {
    this.url = url;
    if (idOf(url) === this.id) return;
    this.bear(idOf(url));
    this.emit("created", { id: this.id });
  }

  // The form names the upload by it.
  bear(id) {
    this.release?.();
    this.id = this.li.dataset.upload = id;
    this.release = lock(id);
    this.hidden ??= this.li.appendChild(element("input", { type: "hidden", name: this.field.name }));
    this.hidden.value = id;
  }

  progress(sent) {
    const now = performance.now();
    if (this.last === undefined || sent < this.last.sent) {
      if (this.isResumed && sent) this.say(fill(this.field.texts.goesOnAt, { percent: percentOf(sent, this.file.size) }));
      else if (!this.isAgain && !this.reason) this.say();
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
    this.say();
    this.set("complete");
    this.emit("complete", { id: this.id });
    this.field.allThere();
  }

  // What the client would take for another answer: throws, so that stopped() is told.
  look(request, response) {
    const status = response.getStatus();
    const owner = response.getHeader("Upload-Owner");
    const isQuestion = request.getMethod() === "HEAD";
    if (owner && owner !== this.field.owner) throw Object.assign(new Error(), { isStranger: true });
    if (status < 400) {
      if (this.reason) this.say();
      if (isQuestion) return;
      this.attempts = 0;
      this.tried.clear();
    } else if (isQuestion) {
      if (![404, 410].includes(status)) throw Object.assign(new Error(), { status });
      this.isResumed = false; // The client begins again at 0.
      this.isAgain = true;
      this.say(this.field.texts.startsAgain);
    }
  }

  // Whether it was not tried yet since a piece has come.
  isFirst(what) {
    const is = !this.tried.has(what);
    this.tried.add(what);
    return is;
  }

  async stopped(error) {
    const { field } = this;
    const { texts } = field;
    const status = statusOf(error);
    const answer = error.originalResponse;
    const isOurs = Boolean(answer?.getHeader("Tus-Resumable")); // and not a proxy's
    const sentence = isOurs ? answer.getBody()?.trim() : "";
    if ((error.causingError ?? error).isStranger) this.wait("stranger");
    else if (status === 401) this.wait("signedOut");
    else if (status === 403) {
      const is = this.isFirst("token") ? await this.during(field.refreshToken()) : "same";
      if (is === "new") this.start();
      else if (is === "same") this.fail(texts.forbidden);
      else this.wait(is);
    } else if ([404, 410].includes(status) && this.isFirst("anew")) this.start(); // It asks first, and creates another.
    else if (status === 409) {
      // Perhaps an older request of our own, that came late.
      if (!(await this.during(isShared(this.id))) && this.isFirst("asking")) return this.start();
      this.isElsewhere = true;
      this.pause(texts.elsewhere);
      field.stopWaiting();
    } else if (status === 413 && !isOurs && this.upload.options.chunkSize > SMALLEST_CHUNK) {
      field.chunkSize = Math.min(field.chunkSize, this.upload.options.chunkSize / 2); // a proxy's
      this.start();
    } else if (status === 507 || (status === 429 && isOurs)) this.fail(sentence || texts.quota);
    else if (!isLater(status)) this.fail(sentence || texts.refused);
    else if (!(await this.during(isReadable(this.file)))) this.fail(texts.vanished);
    else this.wait(navigator.onLine ? "again" : "offline", Number(answer?.getHeader("Retry-After")) || 0);
  }

  // It is tried again: later and later, no sooner than the server has said (in seconds), and when somebody comes back.
  wait(reason, soonest = 0) {
    const { field } = this;
    const isUsers = ["signedOut", "stranger"].includes(reason);
    field.doubt(isUsers);
    if (reason !== this.reason) field.announce(`${this.name}: ${field.texts[reason]}`);
    this.say(field.texts[reason], reason);
    if (isUsers) this.message.append(" ", field.signIn());
    this.set("held");
    if (isUsers) return;
    const delay = DELAYS[Math.min(this.attempts++, DELAYS.length - 1)];
    this.timer = setTimeout(() => this.queue(), Math.max(delay, 1000 * Math.min(soonest, 3600)));
  }

  fail(message) {
    this.say(message);
    this.set("failed");
    this.field.stopWaiting();
    this.field.announce(`${this.name}: ${message}`);
    this.emit("failed", { message });
  }
}

const statusOf = (error) => error.originalResponse?.getStatus() ?? error.causingError?.status ?? error.status ?? 0;

// Whether it may be answered otherwise by itself. (Below 400: there was no answer, or that of a stranger. 507: the disk is full.)
const isLater = (status) => status < 400 || [408, 429].includes(status) || (status >= 500 && status !== 507);

// Start what waits for its turn. What is held keeps its own.
function run() {
  const rows = [...fields].flatMap((field) => [...field.rows]);
  for (const row of rows) {
    if (row.state !== "queued") continue;
    if (rows.filter(({ state }) => ["running", "held"].includes(state)).length >= AT_ONCE) return;
    row.start();
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
    this.notice = element("p", { className: "notice", role: "alert", hidden: true });
    this.build();
    for (const li of this.list.querySelectorAll("li[data-upload]")) this.keep(li);
    this.listen();
  }

  build() {
    const { input, texts, wrapper } = this;
    const hint = element("p", { className: "hint", id: `${input.id}_drop` }, texts.hint);
    input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") ?? ""} ${hint.id}`.trim());
    // Django's admin gives it a legend in place of a label.
    const legend = input.closest("fieldset")?.querySelector("legend");
    if (!input.labels.length && legend) input.setAttribute("aria-label", legend.textContent.trim());
    wrapper.prepend(this.list);
    wrapper.append(hint, this.notice, element("div", { className: "total" }, this.bar, this.status));
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
    input.addEventListener("change", () => this.takeChosen());
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
      this.add(
        files,
        emptyFolders.map((name) => fill(this.texts.emptyFolder, { name: visible(name) })),
      );
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

  // Of the keys under which this browser remembers its uploads.
  get prefix() {
    return [MARK, this.owner, location.pathname, this.input.name, ""].join("|");
  }

  // Whose uploads these are: asked once, and again after anything went wrong.
  meet() {
    this.met ??= this.whoIsHere().catch((error) => {
      this.met = undefined;
      throw error;
    });
    return this.met;
  }

  doubt(isUsers) {
    this.met = undefined;
    this.isStale ||= isUsers;
  }

  async whoIsHere() {
    const answer = await fetch(this.endpoint, { method: "OPTIONS", cache: "no-store" });
    const owner = answer.headers.get("Upload-Owner");
    if (!answer.ok || !owner) throw Object.assign(new Error(), { status: answer.status });
    this.owner ??= owner;
    if (owner !== this.owner) throw Object.assign(new Error(), { isStranger: true });
    if (this.isStale) this.isStale = (await this.refreshToken()) !== "new";
  }

  takeChosen() {
    this.add([...this.input.files]);
    this.input.value = ""; // Nothing is sent twice.
  }

  add(files, notices = []) {
    const { texts, input } = this;
    const limit = Number(this.wrapper.dataset.maxSize || Infinity);
    if (!input.multiple && files.length > 1) {
      files = files.slice(0, 1);
      notices.push(fill(texts.onlyOne, { name: visible(files[0].name) }));
    }
    for (const file of files) {
      const twin = [...this.rows].find((row) => keyOf(row.file) === keyOf(file));
      if (!twin) this.addFile(file, limit);
      else if (["failed", "held", "paused"].includes(twin.state) && !twin.isHopeless) twin.takeAgain(file);
      else notices.push(fill(texts.already, { name: twin.name }));
    }
    this.notify(notices.join(" "));
  }

  addFile(file, limit) {
    const row = this.addRow(file);
    if (file.size > limit) {
      row.isHopeless = true;
      row.fail(fill(this.texts.tooLarge, { size: sizeOf(file.size), limit: sizeOf(limit) }));
    } else {
      this.makeRoom(row);
      row.queue();
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
    row.url = `${this.endpoint}${id}/`;
    row.sent = row.file.size;
    row.bear(id);
    row.set("complete");
  }

  // A field of one file has the new one.
  makeRoom(row) {
    if (this.input.multiple) return;
    for (const other of this.rows) if (other !== row) other.remove();
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

  // What somebody did came to nothing. It stays, whatever is said of progress.
  notify(text = "") {
    this.notice.hidden = !text;
    this.notice.textContent = text;
  }

  signIn() {
    // Where this page leads who is signed out. It opens beside this one, which has the files.
    return element("a", { href: location.href, target: "_blank", rel: "noopener" }, this.texts.signIn);
  }

  // Who signs in gets another token. "new", "same", or why there is none: "signedOut", "again".
  async refreshToken() {
    let page;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (isLater(answer.status) && !answer.ok) return "again";
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return "again";
    }
    const wrapper = page.querySelector(".uploads[data-uploads]");
    const fresh = wrapper?.closest("form")?.querySelector("[name=csrfmiddlewaretoken]")?.value;
    if (!fresh) return "signedOut";
    if (!this.form) return "same";
    for (const input of document.querySelectorAll("[name=csrfmiddlewaretoken]")) input.value = fresh;
    return "new";
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
      this.notify(fill(this.texts.notYet, { name: stuck.name }));
      stuck.li.scrollIntoView({ block: "nearest" });
      (stuck.toggle.hidden ? stuck.remover : stuck.toggle).focus();
    } else {
      this.waiting = { submitter: event.submitter };
      this.notify();
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
      row.halt();
      row.release?.();
    }
    fields.delete(this);
  }

  // It goes, also when the page is left before this was said, or else expires.
  async discard(url) {
    const headers = { "Tus-Resumable": "1.0.0", "X-CSRFToken": this.token };
    fetch(url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
    for (const entry of await remembered()) if (entry.uploadUrl === url) localStorage.removeItem(entry.urlStorageKey);
  }

  // One that no form has saved. `entry`: as this browser remembers it; of another page it does not.
  offer({ id, name, length, received }, entry) {
    const { texts } = this;
    const url = `${this.endpoint}${id}/`;
    const shown = visible(entry?.metadata.relativePath ?? name);
    const isWhole = length !== null && received === length;
    if (!this.offers) {
      this.offers = element("ul", { className: "interrupted", "aria-label": texts.interrupted });
      this.list.after(this.offers);
    }
    const plain = (text, label, act) => {
      const button = element("button", { type: "button", className: "plain", "aria-label": label }, text);
      button.addEventListener("click", () => {
        forget(url);
        act();
      });
      return button;
    };
    const stopped = entry ? fill(texts.stoppedAt, { percent: percentOf(received, length) }) : texts.begunElsewhere;
    const li = element("li", {}, element("bdi", {}, shown), ` (${sizeOf(length ?? received)}). ${isWhole ? texts.cameWhole : stopped} `);
    li.dataset.offer = id;
    if (isWhole) li.append(plain(texts.take, `${texts.take}: ${shown}`, () => this.take(url, name, length)), " ");
    const remove = () => {
      this.discard(url);
      this.input.focus();
    };
    li.append(plain(texts.remove, `${texts.remove} ${shown}`, remove));
    this.offers.append(li);
  }

  withdraw(id) {
    [...(this.offers?.children ?? [])].find((li) => li.dataset.offer === id)?.remove();
    if (this.offers && !this.offers.children.length) {
      this.offers.remove();
      this.offers = undefined;
    }
  }

  // It is all there: no file is needed.
  take(url, name, size) {
    const row = this.addRow({ name, size, type: "" });
    this.makeRoom(row);
    row.created(url);
    row.complete();
    row.remover.focus();
  }
}

const remembered = () => tus.defaultOptions.urlStorage.findAllUploads();

function forget(url) {
  for (const field of fields) field.withdraw(idOf(url));
}

// What of this user no form has saved, and no tab has: at the field where it was begun, or at the first.
async function offer(made) {
  if (!navigator.locks || !made.length) return;
  const entries = await remembered(); // now: what another tab begins meanwhile is not gone
  try {
    const answer = await fetch(made[0].endpoint, { cache: "no-store", headers: { "Tus-Resumable": "1.0.0" } });
    if (!answer.ok) return;
    const mine = `tus::${MARK}|${answer.headers.get("Upload-Owner")}|`;
    const { uploads } = await answer.json();
    const byId = new Map(entries.filter((entry) => entry.urlStorageKey.startsWith(mine)).map((entry) => [idOf(entry.uploadUrl), entry]));
    const { held } = await navigator.locks.query();
    const taken = new Set(held.map(({ name }) => name));
    for (const row of [...fields].flatMap((field) => [...field.rows])) if (row.url) taken.add(`${MARK} ${idOf(row.url)}`);
    for (const upload of uploads) {
      const entry = byId.get(upload.id);
      byId.delete(upload.id);
      if (taken.has(`${MARK} ${upload.id}`)) continue;
      const field = made.find(({ input }) => entry?.urlStorageKey.startsWith(mine + [location.pathname, input.name, ""].join("|")));
      (field ?? made[0]).offer(upload, field && entry);
    }
    for (const { urlStorageKey } of byId.values()) localStorage.removeItem(urlStorageKey); // saved, or expired
  } catch {
    // No connection: what is chosen again goes on all the same.
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
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    paths.set(file, entry.fullPath.slice(1));
    return [file];
  }
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
// What is held goes on, if it can by now.
function wake() {
  for (const row of [...fields].flatMap((field) => [...field.rows])) {
    if (row.state !== "held") continue;
    row.attempts = 0;
    row.queue();
  }
}
window.addEventListener("online", wake);
window.addEventListener("focus", wake);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake();
});
document.addEventListener("formset:added", (event) => enhance(event.target)); // of Django's admin

/** Let each input below `root` send its files; those that do already are left as they are. */
export function enhance(root = document) {
  for (const field of fields) if (!field.wrapper.isConnected) field.close();
  const made = [];
  for (const wrapper of root.querySelectorAll(".uploads[data-uploads]")) {
    // A page may have this module twice, under two addresses. (Of an empty form copies are made.)
    if (wrapper.uploads || wrapper.closest(".empty-form")) continue;
    wrapper.uploads = new Field(wrapper);
    fields.add(wrapper.uploads);
    made.push(wrapper.uploads);
  }
  offer(made);
}

enhance();
// Who has a slow line may choose files before this one has come. By then every script of the page listens.
document.addEventListener("DOMContentLoaded", () => {
  for (const field of fields) if (field.input.files.length) field.takeChosen();
});
