/** Names of what is made on the host carry the maker's pid, so that two labs do not meet. */
export const ownName = (what: string): string => `longpole-lab-${process.pid}-${what}`;
