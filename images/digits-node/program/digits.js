// What `train` and `serve` have in common: rows of pixels, and the model.
"use strict";

const PIXELS = 64;
const BRIGHTEST = 16;
const CLASSES = 10;

/** The input is not what it should be; the message is for whoever sent it. */
class DataError extends Error {}

/** Returns the rows of numbers of a CSV text without a header. */
function parseCsv(text) {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(",").map(numberOf));
}

/** Returns the rows of `[[pixels], ...]` or of `{"instances": [[pixels], ...]}`. */
function parseJson(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new DataError(`the body is not JSON: ${error.message}`);
  }
  const rows = Array.isArray(document) ? document : document?.instances;
  if (!Array.isArray(rows) || !rows.every(Array.isArray)) {
    throw new DataError('the body is neither a list of rows nor {"instances": a list of rows}');
  }
  return rows;
}

/** Returns rows as they were given, when each holds 64 pixels. */
function checked(rows) {
  if (rows.length === 0) {
    throw new DataError("there are no rows");
  }
  rows.forEach((row, index) => {
    if (row.length !== PIXELS) {
      throw new DataError(`every row must hold ${PIXELS} numbers, here are ${row.length}`);
    }
    const wrong = row.findIndex((pixel) => !(pixel >= 0 && pixel <= BRIGHTEST));
    if (wrong >= 0 || !row.every((pixel) => typeof pixel === "number")) {
      throw new DataError(`row ${index + 1}: a pixel is a number from 0 to ${BRIGHTEST}`);
    }
  });
  return rows;
}

/** Returns the images and labels of a CSV text: a header, 64 columns of pixels and `label`. */
function readLabelled(text, name) {
  const end = text.indexOf("\n");
  const header = text.slice(0, end < 0 ? text.length : end).trim().split(",");
  if (header.length !== PIXELS + 1 || header[PIXELS] !== "label") {
    throw new DataError(`'${name}' needs ${PIXELS} columns of pixels and the column 'label'`);
  }
  const rows = parseCsv(text.slice(header.join(",").length));
  const labels = rows.map((row) => row.pop());
  if (!labels.every((label) => Number.isInteger(label) && label >= 0 && label < CLASSES)) {
    throw new DataError(`labels are whole numbers from 0 to ${CLASSES - 1}`);
  }
  return { images: checked(rows), labels };
}

/** Returns the digit that most of the nearest known images show; of as many, the nearest. */
function classify(model, image) {
  const nearest = [];
  model.images.forEach((known, index) => {
    let distance = 0;
    for (let pixel = 0; pixel < PIXELS; pixel += 1) {
      const difference = known[pixel] - image[pixel];
      distance += difference * difference;
    }
    const place = nearest.findIndex((one) => one.distance > distance);
    if (place >= 0 || nearest.length < model.neighbours) {
      nearest.splice(place < 0 ? nearest.length : place, 0, { distance, label: model.labels[index] });
      nearest.length = Math.min(nearest.length, model.neighbours);
    }
  });
  const votes = new Array(CLASSES).fill(0);
  nearest.forEach(({ label }) => (votes[label] += 1));
  return nearest.find(({ label }) => votes[label] === Math.max(...votes)).label;
}

function numberOf(text) {
  const number = text.trim() === "" ? NaN : Number(text);
  if (Number.isNaN(number)) {
    throw new DataError("a pixel must be a number");
  }
  return number;
}

module.exports = { DataError, checked, classify, parseCsv, parseJson, readLabelled };
