/** Runs before the first paint: theme, density and wall mode stand in the address, so that a pasted link opens the same view. */
(function () {
  var query = new URLSearchParams(location.search),
    root = document.documentElement,
    saved = null,
    known = ["dark", "light", "contrast"];
  try {
    saved = localStorage.getItem("wardline.theme");
  } catch (refused) {
    saved = null;
  }
  var theme = query.get("theme") || saved;
  root.dataset.theme = known.indexOf(theme) < 0 ? "dark" : theme;
  root.dataset.density = query.get("density") || "M";
  if (query.get("wall") === "1") root.dataset.wall = "1";
})();
