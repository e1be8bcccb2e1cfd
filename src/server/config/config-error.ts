/** A configuration that cannot be used. The message says which file, line and column, or which variable, and what was expected. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
}
