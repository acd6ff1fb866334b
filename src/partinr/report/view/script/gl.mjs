// WebGL 2: programs, textures that hold numbers, and targets that numbers are drawn into.

/** @typedef {WebGL2RenderingContext} GL */

const WIDTH = 2048;

/** GLSL that every program begins with: long lists of numbers lie in textures row after row. */
const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;
ivec2 place(int i) { return ivec2(i & ${WIDTH - 1}, i >> 11); }
vec4 entry(sampler2D list, int i) { return texelFetch(list, place(i), 0); }
`;

/** How shaders of pixels begin. */
export const MAIN = "void main() { ivec2 pixel = ivec2(gl_FragCoord.xy);";

/** A program that is drawn over all of its target. */
export class Program {
  /**
   * @param {GL} gl
   * @param {string} source of the fragment shader
   * @throws {Error} it cannot be compiled
   */
  constructor(gl, source) {
    this.gl = gl;
    this.program = /** @type {WebGLProgram} */ (gl.createProgram());
    let log = "";
    const corner = "void main() { gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1); }";
    for (const [kind, text] of /** @type {const} */ ([[gl.VERTEX_SHADER, corner], [gl.FRAGMENT_SHADER, source]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, HEAD + text);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
      log += gl.getShaderInfoLog(shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(`a shader cannot be compiled: ${log} ${gl.getProgramInfoLog(this.program)}`);
    /** @type {Map<string, WebGLUniformLocation | null>} */
    this.places = new Map();
  }

  /** @param {string} name */
  place(name) {
    let place = this.places.get(name);
    if (place === undefined) this.places.set(name, (place = this.gl.getUniformLocation(this.program, name)));
    return place;
  }

  /**
   * @param {Target | null} target null for the canvas
   * @param {{[name: string]: Texture | number | number[]}} values of uniforms: whole numbers for `int` are given as `[n]`
   * @param {[number, number, number, number]} [part] x, y, width, height of the target; by default all of it
   */
  draw(target, values, part) {
    const { gl } = this, canvas = gl.canvas;
    gl.useProgram(this.program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target ? target.buffer : null);
    const [width, height] = target ? [target.width, target.height] : [canvas.width, canvas.height];
    gl.viewport(0, 0, width, height);
    let unit = 0;
    for (const [name, value] of Object.entries(values)) {
      const place = this.place(name);
      if (place === null) continue;
      if (value instanceof Texture) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.texture);
        gl.uniform1i(place, unit++);
      } else if (typeof value === "number") gl.uniform1f(place, value);
      else if (value.length === 1) gl.uniform1i(place, value[0]);
      else if (value.length === 2) gl.uniform2fv(place, value);
      else gl.uniform4fv(place, value);
    }
    if (part) {
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(...part);
    }
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
  }
}

/** Numbers in a texture, which are read as they are. */
export class Texture {
  /** @param {GL} gl */
  constructor(gl) {
    this.gl = gl;
    this.texture = /** @type {WebGLTexture} */ (gl.createTexture());
    this.width = this.height = 0;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {Float32Array | Uint32Array | null} numbers four for each place, or one if they are whole
   */
  fill(width, height, numbers) {
    const { gl } = this, whole = numbers instanceof Uint32Array;
    this.width = width;
    this.height = height;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (whole) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_INT, numbers);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, width, height, 0, gl.RGBA, gl.FLOAT, numbers);
    return this;
  }

  /**
   * A long list, row after row: `place` finds its entries.
   * @param {Float32Array | Uint32Array} numbers
   */
  list(numbers) {
    const each = numbers instanceof Uint32Array ? 1 : 4, count = Math.max(1, numbers.length / each);
    const width = Math.min(count, WIDTH), height = Math.ceil(count / WIDTH);
    if (width * height * each === numbers.length) return this.fill(width, height, numbers);
    const padded = numbers instanceof Uint32Array ? new Uint32Array(width * height) : new Float32Array(width * height * 4);
    padded.set(numbers);
    return this.fill(width, height, padded);
  }

  free() {
    this.gl.deleteTexture(this.texture);
  }
}

/** A texture of four numbers a place that is drawn into. */
export class Target extends Texture {
  /** @param {GL} gl */
  constructor(gl) {
    super(gl);
    this.buffer = /** @type {WebGLFramebuffer} */ (gl.createFramebuffer());
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const { gl } = this;
    if (width === this.width && height === this.height) return this;
    this.fill(width, height, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
    return this;
  }

  /**
   * Numbers of a part, four for each place; waits until they are there.
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  read(x, y, width, height) {
    const { gl } = this, numbers = new Float32Array(width * height * 4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.readPixels(x, y, width, height, gl.RGBA, gl.FLOAT, numbers);
    return numbers;
  }

  /** @override */
  free() {
    super.free();
    this.gl.deleteFramebuffer(this.buffer);
  }
}
