const uid = new URLSearchParams(location.search).get('uid') || 'alice'
const form = /** @type {HTMLFormElement} */ (document.querySelector('form'))
const stop = /** @type {HTMLButtonElement} */ (byId('stop'))
const other = /** @type {HTMLAnchorElement} */ (byId('other'))
const question = /** @type {HTMLInputElement} */ (form.elements.namedItem('question'))
other.href = `/?${new URLSearchParams({ uid })}`

/** The stream of the answer. Closed when the answer has ended. @type {EventSource | undefined} */
let source
/** The run that the page shows. */
let run = ''

/**
 * Shows an answer from its first token.
 *
 * @param {string} position the position before the first token. The stream begins there, so it needs no other storage
 */
function follow(position) {
  let next = 0
  let isWhole = true
  source?.close()
  byId('answer').textContent = ''
  say('Waiting…')
  stop.disabled = false

  // When EventSource reconnects, it brings the position of the last event that it got, which counts instead.
  const stream = new EventSource(`/comet?${new URLSearchParams({ uid, rid: run, lastEventId: position })}`)
  source = stream
  stream.addEventListener('comet.ready', () => say('Writing…'))
  stream.addEventListener('token', ({ data }) => {
    const { index, text } = JSON.parse(data)
    if (index !== next) {
      isWhole = false
      byId('answer').append(' […] ')
    }
    next = index + 1
    byId('answer').append(text)
    byId('count').textContent = `${next} tokens`
  })
  // The server no longer stores some events of these targets.
  stream.addEventListener('comet.gap', ({ data }) => {
    const { targets } = /** @type {{ targets: { rid?: string }[] }} */ (JSON.parse(data))
    if (targets.some(({ rid }) => rid === run)) say('A part of this answer is no longer stored.')
  })
  stream.addEventListener('token.end', ({ data }) => {
    const { ok, code, count } = JSON.parse(data)
    if (!isWhole || count !== next) end('A part of this answer is missing. Please ask again.')
    else if (ok) end('Done.')
    else if (code === 'ABORTED') end('Stopped.')
    else end(`${code === 'SHUTTING_DOWN' ? 'The server has stopped' : 'The model failed'}. Please ask again.`)
  })
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) say('Reconnecting…')
    else end('This answer is not available: it is too old, or somebody else asked for it.')
  }
}

/** @param {string} text */
function end(text) {
  source?.close()
  stop.disabled = true
  say(text)
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  // Stops the answer that is being written. Otherwise the model would go on with it.
  stop.click()
  const answer = await post('/runs', { question: question.value })
  if (answer === undefined) return
  const { run, position } = await answer.json()
  // A reload finds the run in the address. Each tab has its own.
  history.replaceState(null, '', `#${new URLSearchParams({ run, position })}`)
  open()
})

stop.onclick = () => post(`/runs/${encodeURIComponent(run)}/stop`)

/** @param {string} path @param {object} [body] @returns {Promise<Response | undefined>} undefined when it failed */
async function post(path, body = {}) {
  const response = await fetch(`${path}?${new URLSearchParams({ uid })}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => undefined)
  if (response?.ok) return response
  say('The server did not take that. Please try again.')
  return undefined
}

/** Shows the run that the address names. */
function open() {
  const address = new URLSearchParams(location.hash.slice(1))
  run = address.get('run') ?? ''
  if (run !== '') follow(address.get('position') ?? '')
}

/** @param {string} text */
function say(text) {
  byId('status').textContent = text
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id))
}

addEventListener('hashchange', () => location.reload())
open()
