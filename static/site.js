// Every page works without this file. With it, a page that tells of a problem has the focus there.

function focusOnWhatMatters() {
  document.querySelector("[data-focus]")?.focus({ preventScroll: true });
}

focusOnWhatMatters();
