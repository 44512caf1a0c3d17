/** Finds and makes elements. Texts of users are shown as text, never as HTML. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new Error(`The page has no ${type.name} with the id ${id}`)
}

/**
 * Makes an element from a template. `texts` has a text for each class: it goes into the elements of that class.
 *
 * @param {string} template
 * @param {Record<string, string>} texts
 */
export function fill(template, texts) {
  const { content } = byId(`${template}-template`, HTMLTemplateElement)
  const item = document.importNode(content, true).firstElementChild
  if (!(item instanceof HTMLElement)) throw new Error(`The template ${template} is empty`)
  for (const [name, text] of Object.entries(texts)) {
    for (const each of item.querySelectorAll(`.${name}`)) each.textContent = text
  }
  return item
}

/**
 * Makes an element from a template that shows a user, with the initial and the colour of the name.
 *
 * @param {string} template
 * @param {string} name
 * @param {Record<string, string>} [texts]
 */
export function fillFor(template, name, texts) {
  const item = fill(template, { name, avatar: Array.from(name)[0]?.toUpperCase() ?? '', ...texts })
  item.style.setProperty('--hue', hue(name))
  return item
}

/**
 * Calls a function with the text of a field when its form is submitted.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {(text: string) => void} use
 * @param {boolean} [clear]
 */
export function onSubmit(form, field, use, clear = true) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const text = field.value.trim()
    if (clear) field.value = ''
    if (text !== '') use(text)
  })
}

/** Computes a hue from a name: the same name has the same colour on every page. @param {string} name */
function hue(name) {
  let hash = 2_166_136_261
  for (const letter of name) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619)
  return String((hash >>> 0) % 360)
}
