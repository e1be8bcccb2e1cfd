declare module "*.module.css" {
  const names: Readonly<Record<string, string>>;
  // oxlint-disable-next-line import/no-default-export -- what bundlers make of a style sheet
  export default names;
}
declare module "*.css";
