// What the explorer says: the strings of one language, key -> template, as sdexplore.strings has them.

/** The string of a key with its named fields filled in. Text of the user is given as it is: braces in it are not read. */
export function say(strings, key, fields = {}) {
  if (!Object.hasOwn(strings, key)) throw new Error(`the explorer has no string ${key}`);
  return strings[key].replace(/\{(\w+)\}/g, (_, name) => {
    if (!Object.hasOwn(fields, name)) throw new Error(`the string ${key} needs ${name}`);
    return fields[name];
  });
}

/** How many layers: "1 layer", "3 layers". */
export const countedLayers = (strings, n) => say(strings, n === 1 ? "count.layer.one" : "count.layer.other", { n });

/** How many steps: "1 step", "3 steps". */
export const countedSteps = (strings, n) => say(strings, n === 1 ? "count.step.one" : "count.step.other", { n });

/** Names in a row. */
export const listed = (strings, names) => names.join(say(strings, "list.comma"));
