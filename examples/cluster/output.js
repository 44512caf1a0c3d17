/**
 * Waits until a process writes something.
 *
 * @param {import('node:stream').Readable} stream
 * @param {RegExp} pattern
 * @returns {Promise<RegExpExecArray>}
 */
export function outputOf(stream, pattern) {
  let text = ''
  return new Promise((resolve, reject) => {
    stream.setEncoding('utf8').on('data', (piece) => {
      text += piece
      const found = pattern.exec(text)
      if (found !== null) resolve(found)
    })
    stream.on('end', () => reject(new Error(`It ended before it wrote ${pattern}.`)))
  })
}
