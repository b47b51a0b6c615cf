"use strict";
(() => {
  const link = document.getElementById("open");
  const beside = (suffix) => new URL(link.dataset.profile + suffix, window.location.href);
  // speedscope takes a path from a file, which begins after "file:///", and an address from a server.
  const wanted = window.location.protocol === "file:"
    ? `localProfilePath=${encodeURIComponent(beside(".js").pathname.slice(1))}`
    : `profileURL=${encodeURIComponent(beside(".json").href)}`;
  link.href = `speedscope/index.html#${wanted}`;
  window.location.replace(link.href);
})();
