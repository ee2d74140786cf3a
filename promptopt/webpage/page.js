// Inflates the data and the libraries, draws plots and cases, and keeps what is looked at in the address.

// Control characters, marks of direction, what is invisible, and halves of pairs: shown as escapes.
const ACTIVE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escapeOf(character) {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

/** The text with what acts on other text as escapes. */
function visible(text) {
  return text.replace(ACTIVE, escapeOf);
}

/** The same as nodes, in which the escapes are marked. */
function shown(text) {
  const part = document.createDocumentFragment();
  let end = 0;
  for (const found of text.matchAll(ACTIVE)) {
    part.append(text.slice(end, found.index), element("span", { class: "mark" }, escapeOf(found[0])));
    end = found.index + found[0].length;
  }
  part.append(text.slice(end));
  return part;
}

/** An element; texts become text nodes, so that nothing in them is read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

async function inflate(base64) {
  const letters = atob(base64.trim()), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/** Runs the libraries; the policy of the page allows these two texts and no other. */
async function loadLibraries() {
  for (const packed of document.querySelectorAll("script.library")) {
    const script = document.createElement("script");
    script.textContent = await inflate(packed.textContent);
    packed.replaceWith(script);
  }
}

async function main() {
  const packed = document.getElementById("data");
  const data = JSON.parse(await inflate(packed.textContent));
  packed.remove();
  for (const place of document.querySelectorAll(".cases")) new Cases(place, data[place.dataset.number]);
  const places = [...document.querySelectorAll(".plot")];
  if (places.length) {
    // The cases are there before the libraries are read.
    await new Promise((done) => setTimeout(done));
    await loadLibraries();
    const draws = places.map((place) => placePlot(place, data[place.dataset.number]));
    // Paper is as wide as this, whatever the window is.
    addEventListener("beforeprint", () => draws.forEach((draw) => draw(680)));
    addEventListener("afterprint", () => draws.forEach((draw, at) => draw(places[at].clientWidth)));
  }
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  document.querySelector("main").prepend(
    element("p", { class: "problem", role: "alert" }, `Plots and cases cannot be shown: ${error.message}. A browser of 2023 or later shows them.`),
  );
  throw error;
});
