import type { Page } from 'playwright-core'

// What a person can see and do on the chat page.

export const here = (page: Page, name: string) => page.locator('#members li').filter({ hasText: name })
export const message = (page: Page, text: string) => page.locator('#log .text').filter({ hasText: text })
export const notice = (page: Page, text: string) => page.locator('#log .notice').filter({ hasText: text })
export const noticesOf = (page: Page) => page.locator('#log .notice').allTextContents()
export const membersOf = (page: Page) => page.locator('#members .name').allTextContents()
export const roomButton = (page: Page, room: string) =>
  page.locator('#rooms').getByRole('button', { name: room })
export const connectionOf = (page: Page) => page.getByRole('status')

/** The room of the list that has unread messages, as a screen reader names the mark: "3 unread messages". */
export const unread = (page: Page, room: string, name: string | RegExp = /unread/) =>
  roomButton(page, room).getByRole('img', { name })

/** Collects the requests that a page sends from now on. */
export function requestsOf(page: Page): string[] {
  const asked: string[] = []
  page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`))
  return asked
}

/** The members of a room, once there is only one. Until then the page shows the members of the room before. */
export async function membersOnceIn(page: Page, room: string): Promise<string[]> {
  await page.locator('#rooms [aria-current]').filter({ hasText: room }).waitFor()
  await page.locator('#members li:only-child').waitFor()
  return await membersOf(page)
}

export async function messagesOf(page: Page): Promise<string[]> {
  const names = await page.locator('#log .message .name').allTextContents()
  const texts = await page.locator('#log .message .text').allTextContents()
  return texts.map((text, index) => `${names[index]}: ${text}`)
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

export async function openRoom(page: Page, room: string): Promise<void> {
  await page.getByLabel('Open another room').fill(room)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: room, level: 1 }).waitFor()
}
