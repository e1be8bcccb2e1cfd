import { type FormEvent, type JSX, useId, useState } from "react";
import type { PageDocument } from "../../model/page.ts";
import { useServer, windowQuery } from "../state/ask-server.ts";
import { isServed } from "../state/load-page.ts";
import { useSelection } from "../state/selection.ts";
import { formQuery, type SearchForm } from "./form-query.ts";
import styles from "./search.module.css";

const EMPTY: SearchForm = { service: "", operation: "", tags: "", shortest: "", longest: "" };

/** Search as in Jaeger: what is filled in becomes a query, which is seen and can be changed. */
export function SearchFields({ choose }: { choose: (query: string) => void }): JSX.Element {
  const [form, setForm] = useState(EMPTY);
  const [why, setWhy] = useState<{ field: string; text: string }>();
  const names = useNames(form.service);
  const id = useId();
  const search = (event: FormEvent): void => {
    event.preventDefault();
    const made = formQuery(form);
    setWhy(made.kind === "invalid" ? { field: made.field, text: made.why } : undefined);
    if (made.kind === "query") choose(made.text);
  };
  const field = (name: keyof SearchForm, label: string, placeholder: string, list?: readonly string[]): JSX.Element => (
    <label className={styles["field"]} data-wide={name === "tags" || undefined}>
      {label}
      <input
        value={form[name]}
        placeholder={placeholder}
        aria-invalid={why?.field === name}
        list={list === undefined ? undefined : `${id}${name}`}
        onChange={(event) => setForm({ ...form, [name]: event.target.value })}
      />
      {list !== undefined && (
        <datalist id={`${id}${name}`}>
          {list.map((text) => (
            <option key={text} value={text} />
          ))}
        </datalist>
      )}
    </label>
  );
  return (
    <form className={styles["fields"]} onSubmit={search} aria-label="Search by fields">
      {field("service", "Service", "any", names.services)}
      {field("operation", "Operation", "any", names.operations)}
      {field("tags", "Tags", "http.response.status_code=500 error=true")}
      {field("shortest", "At least", "100ms")}
      {field("longest", "At most", "2s")}
      <button type="submit">Find</button>
      {why !== undefined && (
        <span role="alert" className={styles["over"]}>
          {why.text}
        </span>
      )}
    </form>
  );
}

/** Names to choose from: the server's, or those of the traces in the page. */
function useNames(service: string): { services: readonly string[]; operations: readonly string[] } {
  const { page } = useSelection();
  const window = windowQuery();
  const services = useServer<{ services: string[] }>(isServed() ? `api/v1/services?${window}` : undefined);
  const known = services.kind === "answered" && services.value.services.includes(service);
  window.set("service", service);
  const operations = useServer<{ operations: { operation: string }[] }>(
    known ? `api/v1/operations?${window}` : undefined,
  );
  const own = isServed() ? undefined : namesIn(page, service);
  return {
    services: services.kind === "answered" ? services.value.services : (own?.services ?? []),
    operations:
      operations.kind === "answered"
        ? [...new Set(operations.value.operations.map((one) => one.operation))]
        : (own?.operations ?? []),
  };
}

function namesIn(page: PageDocument, service: string): { services: string[]; operations: string[] } {
  const services = new Set<string>();
  const operations = new Set<string>();
  for (const trace of page.traces) {
    for (const [row, of] of trace.service.entries()) {
      const name = trace.strings[of]!;
      services.add(name);
      if (service === "" || service === name) operations.add(trace.strings[trace.operation[row]!]!);
    }
  }
  return { services: [...services].toSorted(), operations: [...operations].toSorted() };
}
