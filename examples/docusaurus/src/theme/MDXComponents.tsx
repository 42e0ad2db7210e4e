import type { MDXComponentsObject } from "@theme/MDXComponents";
import MDXComponents from "@theme-original/MDXComponents";
import Personalize from "../components/Personalize";

const components: MDXComponentsObject = { ...MDXComponents, Personalize };

export default components;
