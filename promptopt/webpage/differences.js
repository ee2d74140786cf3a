// Which words of two texts differ.

const WORDS = /[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu;
const MOST_STEPS = 1e6;

/** Stretches [text, kind] of both texts: kind is "same", or "old" on the one and "new" on the other side. */
function differences(before, after) {
  if (before === after) return [[[before, "same"]], [[after, "same"]]];
  const old = before.match(WORDS) || [], now = after.match(WORDS) || [];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  const left = old.slice(head, old.length - tail), right = now.slice(head, now.length - tail);
  const middle = left.length * right.length <= MOST_STEPS ? common(left, right) : [];
  const sides = [[], []];
  const add = (side, words, kind) => {
    if (words.length) sides[side].push([words.join(""), kind]);
  };
  add(0, old.slice(0, head), "same");
  add(1, now.slice(0, head), "same");
  let i = 0, j = 0;
  for (const [a, b, size] of [...middle, [left.length, right.length, 0]]) {
    add(0, left.slice(i, a), "old");
    add(1, right.slice(j, b), "new");
    add(0, left.slice(a, a + size), "same");
    add(1, right.slice(b, b + size), "same");
    i = a + size;
    j = b + size;
  }
  add(0, old.slice(old.length - tail), "same");
  add(1, now.slice(now.length - tail), "same");
  return sides;
}

/** The longest common subsequence as stretches [from in left, from in right, length]. */
function common(left, right) {
  const width = right.length + 1, table = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i * width + j] = left[i] === right[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      const last = found.at(-1);
      if (last && last[0] + last[2] === i && last[1] + last[2] === j) last[2]++;
      else found.push([i, j, 1]);
      i++;
      j++;
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
    else j++;
  }
  return found;
}
