// Writes what the page's decoder reads of files: node decode.mjs IN OUT [IN OUT ...]
import { readFileSync, writeFileSync } from "node:fs";
import { Damaged } from "../../../src/partinr/report/view/script/bytes.mjs";
import { opened } from "../../../src/partinr/report/view/script/file.mjs";

for (let i = 2; i < process.argv.length; i += 2) {
  const out = process.argv[i + 1];
  try {
    const inr = await opened(new Uint8Array(readFileSync(process.argv[i])));
    const arrays = [["labels", inr.labels], ["boxes", inr.boxes], ["group_of", inr.groupOf]];
    if (inr.coefficients) arrays.push(["coefficients", inr.coefficients]);
    inr.groups.forEach((group, g) => {
      group.weights.forEach((array, l) => arrays.push([`groups.${g}.weights.${l}`, array]));
      group.biases.forEach((array, l) => arrays.push([`groups.${g}.biases.${l}`, array]));
    });
    const { signal, frame, blend, overlap, regions } = inr;
    const head = { signal, frame, blend, overlap, regions, networks: inr.groups.map((group) => group.network) };
    writeFileSync(`${out}.json`, JSON.stringify({ ...head, arrays: arrays.map(([name, array]) => [name, array.byteLength]) }));
    writeFileSync(out, Buffer.concat(arrays.map(([, array]) => Buffer.from(array.buffer, array.byteOffset, array.byteLength))));
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    writeFileSync(`${out}.json`, JSON.stringify({ damaged: error.message }));
  }
}
