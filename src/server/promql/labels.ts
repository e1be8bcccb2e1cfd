/** The labels of a series, by name; each set is made once per evaluation, so that sets are compared by their key. */
export interface Labels {
  readonly key: string;
  /** ascending by name, none with an empty value */
  readonly pairs: readonly (readonly [name: string, value: string])[];
}

export const NAME = "__name__";

export function labelsOf(pairs: Iterable<readonly [string, string]>): Labels {
  const held = [...new Map(pairs)].filter(([, value]) => value !== "");
  held.sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: JSON.stringify(held), pairs: held };
}

export const NO_LABELS: Labels = labelsOf([]);

export const valueOf = ({ pairs }: Labels, name: string): string => pairs.find(([held]) => held === name)?.[1] ?? "";

export const toObject = ({ pairs }: Labels): Record<string, string> => Object.fromEntries(pairs);

/** A change of labels that is done once for each set. */
export function remembered(change: (labels: Labels) => Labels): (labels: Labels) => Labels {
  const known = new Map<string, Labels>();
  return (labels) => {
    const held = known.get(labels.key);
    if (held !== undefined) return held;
    const changed = change(labels);
    known.set(labels.key, changed);
    return changed;
  };
}

export const keeping =
  (names: readonly string[]) =>
  (labels: Labels): Labels =>
    labelsOf(labels.pairs.filter(([name]) => names.includes(name)));

/** The name of the metric goes too. */
export const dropping =
  (names: readonly string[]) =>
  (labels: Labels): Labels =>
    labelsOf(labels.pairs.filter(([name]) => name !== NAME && !names.includes(name)));

export const dropName: (labels: Labels) => Labels = dropping([]);
