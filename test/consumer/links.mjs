import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** Links and images of Markdown, and those written as HTML. */
const LINK = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|\b(?:href|src)="([^"]+)"/g
const BLOCK = /^(`{3,}).*?^\1/gms
const CODE = /`[^`\n]*`/g
const HEADING = /^#{1,6}\s+(.+?)\s*#*$/gm

/** @returns the relative links of all Markdown files in a folder that lead to no file or heading in it */
export async function brokenLinks(folder) {
  const entries = await readdir(folder, { recursive: true })
  const pages = entries.filter((path) => path.endsWith('.md'))
  const broken = await Promise.all(pages.map((page) => brokenLinksOf(folder, page)))
  return broken.flat()
}

/** @returns the relative links of one page that lead to no file or heading in the folder */
export async function brokenLinksOf(folder, page) {
  const broken = []
  const text = await readFile(join(folder, page), 'utf8')
  for (const [, markdown, html] of text.replace(BLOCK, '').replace(CODE, '').matchAll(LINK)) {
    const link = markdown ?? html
    if (/^([a-z][\w+.-]*:|\/\/)/i.test(link)) continue
    if (!(await resolves(folder, page, link))) broken.push(`${page}: ${link}`)
  }
  return broken
}

async function resolves(folder, page, link) {
  const [path, heading] = link.split('#')
  const target = path === '' ? join(folder, page) : join(folder, dirname(page), decodeURIComponent(path))
  if (relative(folder, target).startsWith('..')) return false
  const found = await stat(target).catch(() => undefined)
  if (found === undefined) return false
  if (heading === undefined || !target.endsWith('.md')) return true
  return anchorsOf(await readFile(target, 'utf8')).includes(heading)
}

/** The names that GitHub gives to headings. */
function anchorsOf(text) {
  const headings = text.replace(BLOCK, '').matchAll(HEADING)
  return Array.from(headings, ([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}
