/** The reader of PGPASSFILE, which has no types of its own. */
declare module "pgpass" {
  interface Connection {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
  }
  function pgpass(connection: Connection, callback: (password: string | undefined) => void): void;
  export = pgpass;
}
