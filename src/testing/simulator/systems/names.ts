/** Words that systems are named with; a seed draws from them. */
export const RESOURCES: readonly string[] = [
  "orders",
  "invoices",
  "bookings",
  "articles",
  "shipments",
  "tickets",
  "accounts",
  "listings",
  "claims",
  "devices",
];
export const GATEWAYS: readonly string[] = ["gateway", "edge", "web", "frontend", "bff", "storefront"];
export const BACKENDS: readonly string[] = [
  "catalog",
  "pricing",
  "inventory",
  "users",
  "reviews",
  "recommendation",
  "cart",
  "shipping",
  "tax",
  "search",
  "loyalty",
  "geo",
  "media",
  "ledger",
  "profile",
  "quota",
];
export const DATABASES: readonly string[] = ["shop", "core", "main", "sales", "crm", "warehouse", "billing", "content"];
export const PARTNERS: readonly string[] = [
  "api.payfast.example",
  "rates.fxhub.example",
  "verify.idcheck.example",
  "mail.sendwell.example",
];
export const TENANTS: readonly string[] = ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka"];
