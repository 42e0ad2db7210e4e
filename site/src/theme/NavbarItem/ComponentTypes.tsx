export { default } from "../../../../examples/docusaurus/src/theme/NavbarItem/ComponentTypes";
