/** Replaces the line at the end of the terminal. Without a text, clears it. */
export function progress(text = '') {
  process.stderr.write(`\r\u001b[K${text}`)
}
