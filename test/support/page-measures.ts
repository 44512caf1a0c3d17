import type { Page } from 'playwright-core'

/** Measures the widest line of the elements, in units of `ch`: the width of a zero in their font. */
export async function widestLine(page: Page, selector: string): Promise<number> {
  return (await page.evaluate(`
    Math.max(...Array.from(document.querySelectorAll(${JSON.stringify(selector)}), (element) => {
      const range = document.createRange()
      range.selectNodeContents(element)
      const widths = Array.from(range.getClientRects(), ({ width }) => width)
      const zero = element.appendChild(document.createElement('i'))
      zero.style.cssText = 'display: block; width: 1ch'
      const { width } = zero.getBoundingClientRect()
      zero.remove()
      return Math.max(...widths) / width
    }))
  `)) as number
}

/** Tells by how many pixels the page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number
}

/**
 * Finds visible texts with less contrast than 4.5 to 1, which WCAG asks for at level AA. Compares the colour of a text
 * with the background colours under it, and does not see images.
 */
export async function faintTextsOf(page: Page): Promise<string[]> {
  return (await page.evaluate(`(() => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    // The red, green and blue of colours that are painted one over the other.
    const paint = (colours) => {
      for (const colour of ['#fff', ...colours]) {
        context.fillStyle = colour
        context.fillRect(0, 0, 1, 1)
      }
      return Array.from(context.getImageData(0, 0, 1, 1).data).slice(0, 3)
    }
    const luminance = (colours) => {
      const [red, green, blue] = paint(colours).map((value) => {
        const part = value / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const backgroundsOf = (element) =>
      element === null ? [] : [...backgroundsOf(element.parentElement), getComputedStyle(element).backgroundColor]
    const faint = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
      const { data, parentElement: element } = texts.currentNode
      if (data.trim() === '' || !element.checkVisibility({ visibilityProperty: true })) continue
      const backgrounds = backgroundsOf(element)
      const pair = [backgrounds, [...backgrounds, getComputedStyle(element).color]].map(luminance)
      const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)
      if (contrast < 4.5) faint.push(data.trim() + ': ' + contrast.toFixed(2))
    }
    return faint
  })()`)) as string[]
}
