// The .inr file, of both versions (docs/format.md).
import { Damaged, broken, inflate, readNumber, sha256 } from "./bytes.mjs";
import { ofSpectra } from "./boxes.mjs";
import { MOST_HEADER } from "./header.mjs";
import { ofParameters, openedPlain } from "./trained.mjs";

const BEFORE =
  '"networks":[{"name":"siren","hidden":,"layers":1,"omega_0":,"omega_hidden":30.0}],"frame":"local",' +
  '"overlap":1,"partition":{"rule":"grid:","regions":},"signal":{"kind":"array","shape":[,],"channels":1,' +
  '"dtype":"float32","value_range":[0.0,1.0],"channel_axis":false},"blend":true,"summary":{"psnr":}' +
  '"dtype":"uint16","value_range":[0,65535],"dtype":"uint8","value_range":[0,255],"channel_axis":true},' +
  '"blend":true,"overlap":0,"coding":"parameters","summary":{"psnr":' +
  '{"signal":{"kind":"image","shape":[512,768],"channels":3,"dtype":"uint8","value_range":[0.0,255.0],' +
  '"channel_axis":true},"blend":true,"coding":"spectra","summary":{"psnr":';

/**
 * Read a file.
 * @param {Uint8Array} bytes
 * @returns {Promise<import("./header.mjs").Inr>}
 * @throws {Damaged} these are no such bytes; says why
 */
export async function opened(bytes) {
  try {
    return await (bytes[0] === 0x89 ? openedCompact(bytes) : openedPlain(bytes));
  } catch (error) {
    if (error instanceof Damaged) throw error;
    broken(`the file cannot be read (${error})`);
  }
}

/** @param {Uint8Array} bytes */
async function openedCompact(bytes) {
  if (String.fromCharCode(...bytes.subarray(1, 4)) !== "INR") broken("this is no .inr file");
  if (bytes[4] !== 2) broken(`the file has the format ${bytes[4]}; this page reads 1 and 2`);
  const sum = Array.from(bytes.subarray(5, 13), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!sha256(bytes.subarray(13)).startsWith(sum))
    broken("the checksum differs: bytes were changed or lost");
  let length = 0, count = 0, at = 0;
  [length, at] = readNumber(bytes, 13);
  const json = await inflate(bytes.subarray(at, at + length), MOST_HEADER, new TextEncoder().encode(BEFORE));
  const header = JSON.parse(new TextDecoder().decode(json));
  [count, at] = readNumber(bytes, at + length);
  /** @type {number[]} */
  const lengths = [];
  for (let i = 1, one; i < count; i++) ([one, at] = readNumber(bytes, at)), lengths.push(one);
  const sections = [...lengths, bytes.length].map((one) => bytes.subarray(at, (at += one)));
  if (header.coding === "spectra") return ofSpectra(header, sections[0]);
  if (header.coding === "parameters") return ofParameters(header, sections[0], sections[1]);
  broken(`the file is coded as ${header.coding}, which this page does not know`);
}
