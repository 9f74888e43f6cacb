#!/usr/bin/env python3
"""Drives an MCP server with the official Python client, in each of its modes.

    mcp_client.py COMMAND [ARGUMENT ...]      exit status 1 when anything is not as it should be
"""
import asyncio
import sys

from mcp import Client, StdioServerParameters

MODES = ("auto", "legacy", "2026-07-28")


def must(fact, what):
    if not fact:
        sys.exit(f"{what}: not so")


async def judge(mode, server):
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        must(0 < len(tools) <= 10, f"{mode}: some tools, at most ten")
        # The client holds structured content against the schema of the tool by itself.
        status = await client.call_tool("coord_status", {})
        must(not status.is_error and status.structured_content["text"], f"{mode}: a status")
        claim = await client.call_tool("coord_claim", {"files": [f"python/{mode}"]})
        must(claim.structured_content["outcome"] == "done", f"{mode}: a claim, but {claim.structured_content}")
        wrong = await client.call_tool("coord_todo", {"done": "nothing"})
        must(wrong.is_error, f"{mode}: a refusal is an error result")
        resources = (await client.list_resources()).resources
        for resource in resources:
            read = await client.read_resource(resource.uri)
            must(read.contents[0].text, f"{mode}: {resource.uri} says something")
        prompts = (await client.list_prompts()).prompts
        prompt = await client.get_prompt(prompts[0].name)
        must(prompt.messages, f"{mode}: the prompt has messages")
        print(f"python client, mode {mode}: {len(tools)} tools, {len(resources)} resources, passed")


if __name__ == "__main__":
    parameters = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])
    for one in MODES:
        asyncio.run(judge(one, parameters))
