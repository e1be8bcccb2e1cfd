/**
 * What tells a database's processes from those of another one of the same product on the host, by its command line: the folder
 * of its data, else the address or port that it was told; "" where the line says neither.
 */
export function databaseInstance(words: readonly string[]): string {
  return valueOf(words, FOLDER) ?? titled(words[0] ?? "") ?? valueOf(words, PORT) ?? "";
}

/** postgres -D, mysqld --datadir, mongod --dbpath, cockroach --store. */
const FOLDER = /^(?:-D|--pgdata|--datadir|--dbpath|--store)(?:=(.+))?$|^-D(.+)$/;
const PORT = /^(?:-p|-P|--port)(?:=(\d+))?$|^-p(\d+)$/;

/** `--name=value`, `--name value`, `-Nvalue`. */
function valueOf(words: readonly string[], option: RegExp): string | undefined {
  for (const [i, word] of words.entries()) {
    const found = i === 0 ? null : option.exec(word);
    if (found !== null) return found[1] ?? found[2] ?? words[i + 1];
  }
  return undefined;
}

/** Redis and Valkey write where they listen over their command line: `redis-server 127.0.0.1:6379`. */
const titled = (title: string): string | undefined => /^(?:redis|valkey)-server (\S+:\d+)/.exec(title)?.[1];
