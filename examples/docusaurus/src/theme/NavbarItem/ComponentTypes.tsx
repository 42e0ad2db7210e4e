import type { ComponentTypesObject } from "@theme/NavbarItem/ComponentTypes";
import ComponentTypes from "@theme-original/NavbarItem/ComponentTypes";
import AccountNavbarItem from "../../components/AccountNavbarItem";

const componentTypes: ComponentTypesObject = {
  ...ComponentTypes,
  "custom-latchkeyAccount": AccountNavbarItem,
};

export default componentTypes;
