export { default } from "../../../examples/docusaurus/src/theme/Root";
