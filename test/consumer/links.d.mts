export function brokenLinks(folder: string): Promise<string[]>
export function brokenLinksOf(folder: string, page: string): Promise<string[]>
