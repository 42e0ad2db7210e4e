import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import type { Component } from "./components.ts";

/** What the list is of. */
interface Subject {
  readonly version: string;
  /** Of Bun, whose runtime is most of an executable. */
  readonly bun: string;
}

/**
 * @returns a CycloneDX 1.6 document (https://cyclonedx.org), in JSON: what is inside the executables of a version. It has no
 * date and no number of its own, so that two builds have the same.
 */
export function billOfMaterials({ version, bun }: Subject, components: readonly Component[]): string {
  const subject = new Models.Component(Enums.ComponentType.Application, "latchkey", {
    version,
    bomRef: "latchkey",
  });
  subject.licenses.add(new Models.SpdxLicense("MIT"));
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: subject }) });
  const runtime = new Models.Component(Enums.ComponentType.Platform, "bun", { version: bun, bomRef: "bun" });
  runtime.licenses.add(
    new Models.NamedLicense("MIT, and those of what it is made of: https://bun.com/docs/project/license"),
  );
  bom.components.add(runtime);
  for (const component of components) bom.components.add(library(component));
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function library({ name, version, license, sha512 }: Component): Models.Component {
  const [scope, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const purl = new PackageURL("npm", scope, bare ?? name, version, undefined, undefined).toString();
  const model = new Models.Component(Enums.ComponentType.Library, bare ?? name, {
    version,
    purl,
    bomRef: purl,
  });
  if (scope !== undefined) model.group = scope;
  model.licenses.add(
    /[ (]/.test(license) ? new Models.LicenseExpression(license) : new Models.SpdxLicense(license),
  );
  model.hashes.set(Enums.HashAlgorithm["SHA-512"], sha512);
  return model;
}
